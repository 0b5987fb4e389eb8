"""Legal holds: nothing of an endpoint, or of one event, is removed by age or erased while one is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db import transaction

from deliveries import audit
from deliveries.models import Event
from deliveries.models.sealing import storable
from integrations.models import Endpoint

if TYPE_CHECKING:
    from deliveries.audit import Person

PERMISSION = "deliveries.legal_hold"
REASON_CHARACTERS = 300


def place(row: Endpoint | Event, *, reason: str, by: Person, via: str = "") -> None:
    """Put ``row`` under a legal hold for ``reason``, or change the reason; the log names ``by``.

    Raises `PermissionDenied` for who may not, and `ValueError` without a reason.
    """
    why = storable(" ".join(reason.split()), REASON_CHARACTERS)
    if not why:
        raise ValueError("A legal hold needs a reason.")
    _set(row, why, f"Put under a legal hold: {why}", by=by, via=via)


def lift(row: Endpoint | Event, *, by: Person, via: str = "") -> bool:
    """End the legal hold on ``row``; return whether there was one. Raises `PermissionDenied` for who may not."""
    if not row.legal_hold:
        _check(by)
        return False
    _set(row, "", f"Ended the legal hold: {row.legal_hold}", by=by, via=via)
    return True


def _set(row: Endpoint | Event, reason: str, message: str, *, by: Person, via: str) -> None:
    _check(by)
    with transaction.atomic():
        row.legal_hold = reason
        row.save(update_fields=["legal_hold"])
        audit.record(audit.Action.ORDERED, row, by=by, message=message, via=via)


def _check(by: Person) -> None:
    if not by.has_perm(PERMISSION):
        raise PermissionDenied("Legal holds take a right of their own.")
