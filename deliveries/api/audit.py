"""Who changed what through the API, for the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import Model
from rest_framework.request import Request

from deliveries import audit
from deliveries.audit import Action

__all__ = ["ADDITION", "CHANGE", "DELETION", "ORDER", "caller", "log"]

ADDITION, CHANGE, DELETION, ORDER = Action.MADE, Action.CHANGED, Action.REMOVED, Action.ORDERED


def caller(request: Request) -> User:
    """Return the token's user."""
    return cast(User, request.user)


def log(request: Request, row: Model, action: Action, message: str, *, before: Mapping[str, Any] | None = None) -> None:
    """Note what the token's user did to ``row``; ``message`` holds no values, they may be secrets.

    With ``before``, a snapshot of the row before the change, the entry has the differences; of a new row it has all,
    and of one that is taken away all that it was.
    """
    change: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)
    if action == Action.REMOVED:
        change = audit.difference(row, before, None)
    elif before is not None or action == Action.MADE:
        change = audit.difference(row, before, audit.snapshot(row))
    audit.record(action, row, by=caller(request), message=message, change=change)
