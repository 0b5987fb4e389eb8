"""The log entries of what a file has changed, as the API and the admin write theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model

from deliveries.replay import logged

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Where the order came from, in the log.
VIA = "apply"


def note(row: Model, flag: int, message: str, *, by: User | None) -> None:
    """Write one entry about ``row`` in the name of ``by``; nothing for a rehearsal, which is nobody's."""
    if by is not None:
        entries: Any = LogEntry.objects
        entries.log_actions(by.pk, [row], flag, change_message=logged(message, via=VIA), single_object=True)
