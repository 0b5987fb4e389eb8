"""What a file has changed, for the audit log, as the API and the admin have theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db.models import Model

from deliveries import audit
from deliveries.audit import Action

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Where the order came from, in the log.
VIA = "apply"
_ACTIONS = {ADDITION: Action.MADE, CHANGE: Action.CHANGED, DELETION: Action.REMOVED}


def note(row: Model, flag: int, message: str, *, by: User | None) -> None:
    """Write one entry about ``row`` in the name of ``by``; nothing for a rehearsal, which is nobody's."""
    if by is not None:
        audit.record(_ACTIONS[flag], row, by=by, message=message, via=VIA)
