"""Who changed what through the API: the log that the admin shows."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.db.models import Model
from rest_framework.request import Request

__all__ = ["ADDITION", "CHANGE", "DELETION", "caller", "log"]


def caller(request: Request) -> User:
    """Return the token's user."""
    return cast(User, request.user)


def log(request: Request, row: Model, flag: int, message: str) -> None:
    """Write one entry about ``row`` in the name of the token's user. No values: they may be secrets."""
    entries: Any = LogEntry.objects
    entries.log_actions(request.user.pk, [row], flag, change_message=f"API: {message}", single_object=True)
