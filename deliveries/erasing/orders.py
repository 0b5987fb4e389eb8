"""The orders about an erasure: to count, to confirm what was counted, to cancel."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit
from deliveries.models import Erasure, ErasureState
from deliveries.models.erasure import UNDER_WAY, ErasurePhase, hmac_of
from integrations.errors import HubError
from integrations.models import groups_of
from integrations.validation import validate_jmespath

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PERMISSION = "deliveries.erase"
#: A shorter value is in everything.
_SHORTEST = 3


class NotErased(HubError):
    """The order cannot be given; the message says why, for the operator."""


def order(value: str, *, path: str = "", by: User | None, now: datetime | None = None, via: str = "") -> Erasure:
    """Have everything counted that holds ``value``; with ``path``, a JMESPath, the payloads in which that finds it.

    Nothing is erased before `confirm`. ``by`` None is who has the command line. Raises `PermissionDenied` for who may
    not, or is restricted to groups, and `NotErased` for a value or a path that cannot be looked for.
    """
    _check(by)
    if len(value.strip()) < _SHORTEST:
        raise NotErased(gettext("Look for at least %(shortest)s characters.") % {"shortest": _SHORTEST})
    try:
        if path:
            validate_jmespath(path)
    except ValidationError as exc:
        raise NotErased(" ".join(exc.messages)) from exc
    with transaction.atomic():
        made = Erasure.objects.create(
            sought=value.strip(),
            value_hmac=hmac_of(value.strip()),
            path=path,
            created_by=_name(by),
            created_at=now or timezone.now(),
        )
        audit.record(audit.Action.ORDERED, made, by=by, who=_name(by), message="Has it counted what to erase.", via=via)
    return made


def confirm(erasure: Erasure, *, by: User | None, via: str = "") -> None:
    """Have erased what was counted, and what holds the value by then. Raises as `order` does."""
    _check(by)
    with transaction.atomic():
        moved = Erasure.objects.filter(pk=erasure.pk, state=ErasureState.COUNTED).update(
            state=ErasureState.ERASING,
            phase=ErasurePhase.EVENTS,
            looked_until=None,
            looked_at=0,
            found={},
            left=[],
            confirmed_by=_name(by),
        )
        if not moved:
            raise NotErased(gettext("It has not been counted, or was confirmed already."))
        audit.record(audit.Action.ORDERED, erasure, by=by, who=_name(by), message="Confirmed the erasure.", via=via)
    erasure.refresh_from_db()


def cancel(erasure: Erasure, *, by: User | None, now: datetime | None = None, via: str = "") -> bool:
    """End an order; what was erased stays erased. Return whether it was under way. Raises as `order` does."""
    _check(by)
    with transaction.atomic():
        moved = Erasure.objects.filter(pk=erasure.pk, state__in=(*UNDER_WAY, ErasureState.COUNTED)).update(
            state=ErasureState.CANCELLED, sought="", finished_at=now or timezone.now()
        )
        if moved:
            audit.record(audit.Action.ORDERED, erasure, by=by, who=_name(by), message="Cancelled the erasure.", via=via)
    return bool(moved)


def _check(by: User | None) -> None:
    if by is not None and (not by.has_perm(PERMISSION) or groups_of(by) is not None):
        raise PermissionDenied("To erase takes a right of its own, and the sight of all endpoints.")


def _name(by: User | None) -> str:
    return by.get_username() if by else "command line"
