"""The entries of the audit log about what a file has changed, as the API and the admin write theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import Model

from deliveries import audit
from deliveries.audit import Action

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Where the order came from, in the log.
VIA = "apply"
ADDITION, CHANGE, DELETION = Action.MADE, Action.CHANGED, Action.REMOVED


def note(row: Model, action: Action, message: str, *, by: User | None, before: Mapping[str, Any] | None = None) -> None:
    """Note what ``by`` did to ``row``; nothing for a rehearsal, which is nobody's.

    With ``before``, a snapshot of the row before the change, the entry has the differences; of a new row it has all.
    """
    if by is None:
        return
    change: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)
    if before is not None or action == Action.MADE:
        change = audit.difference(row, before, audit.snapshot(row))
    audit.record(action, row, by=by, message=message, via=VIA, change=change)
