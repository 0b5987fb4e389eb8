"""Switching accept-only mode: events go on to be stored, workers begin nothing, until it is switched off."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from deliveries import audit
from deliveries.models import AcceptOnly, Action

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def switch_on(*, by: User, note: str = "", now: datetime) -> bool:
    """Switch the mode on; return whether it was off. What runs already runs to its end."""
    if not AcceptOnly.objects.switch_on(who=by.get_username(), note=note[:200], now=now):
        return False
    audit.record(Action.ORDERED, AcceptOnly.objects.get(), by=by, message="Switched on.", now=now)
    return True


@transaction.atomic
def switch_off(*, by: User, now: datetime) -> bool:
    """Switch the mode off; return whether it was on. Workers begin within a second or so."""
    row = AcceptOnly.objects.first()
    if row is None or not AcceptOnly.objects.switch_off():
        return False
    audit.record(Action.ORDERED, row, by=by, message="Switched off.", now=now)
    return True
