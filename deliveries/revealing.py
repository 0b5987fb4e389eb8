"""Reveal what a sensitive endpoint received: whoever does it has the permission, and is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied

from deliveries import audit
from deliveries.models import Event, EventVariant, Rejection
from deliveries.models.sealing import storable
from integrations.guards import MAY_REVEAL

if TYPE_CHECKING:
    from deliveries.audit import Person

__all__ = ["MAY_REVEAL", "REASON_CHARACTERS", "reveal"]

#: What is kept of why something was revealed.
REASON_CHARACTERS = 200


def reveal(row: Event | EventVariant | Rejection, *, by: Person, what: str, reason: str = "") -> None:
    """Note that ``by`` saw ``what`` of ``row`` ("the payload"); does nothing for a row that hides nothing.

    Raises `PermissionDenied` for who may not, and then notes nothing.
    """
    if not row.hides_body:
        return
    if not by.has_perm(MAY_REVEAL):
        raise PermissionDenied("What this endpoint receives is sensitive; revealing it takes a right of its own.")
    why = storable(" ".join(reason.split()), REASON_CHARACTERS)
    known = row.event if isinstance(row, EventVariant) else row
    audit.record(audit.Action.ORDERED, known, by=by, message=f"revealed {what}{f': {why}' if why else ''}.")
