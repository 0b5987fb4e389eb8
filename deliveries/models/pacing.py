"""When what is queued at a rate is due: one after the other, so that claims keep the rate by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Case, DateTimeField, Value, When

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

#: So far ahead deliveries are queued; longer than an idle hub takes from one look to the next.
AHEAD = timedelta(seconds=3)


def slots(after: datetime | None, *, rate_per_second: float | None, most: int, now: datetime) -> list[datetime]:
    """Return up to ``most`` moments for the next deliveries, ``1 / rate_per_second`` apart, none before ``after``.

    None means as fast as they go: all are ``now``. Time in which nothing was fed is not made up for.
    """
    if rate_per_second is None:
        return [now] * most
    step = timedelta(seconds=1 / rate_per_second)
    slot = max(after or now, now)
    found: list[datetime] = []
    while len(found) < most and slot <= now + AHEAD:
        found.append(slot)
        slot += step
    return found


def following(slots: Sequence[datetime], *, rate_per_second: float | None) -> datetime | None:
    """Return the first moment after ``slots`` that the rate allows; None where there is no rate, or no slot."""
    if rate_per_second is None or not slots:
        return None
    return slots[-1] + timedelta(seconds=1 / rate_per_second)


def due_by_id(dues: Mapping[UUID, datetime]) -> Combinable:
    """Return the expression for ``due_at`` that gives each row of ``dues`` its own."""
    return Case(*(When(pk=pk, then=Value(due)) for pk, due in dues.items()), output_field=DateTimeField())
