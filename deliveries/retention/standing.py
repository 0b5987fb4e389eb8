"""What keeps an event whole whatever its age: work that is not finished, and dead letters for their time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from deliveries.models import Delivery, DeliveryStatus
from deliveries.models.states import UNFINISHED
from deliveries.retention.ages import Ages
from integrations.models import OrderingFailure


@dataclass(frozen=True)
class Standing:
    """Where the deliveries of an event stand."""

    #: Whether nothing of the event may go yet.
    holds: bool = False
    #: When the last of them came to its end; None where there is none.
    ended_at: datetime | None = None

    def allows_attempts(self, ages: Ages, *, now: datetime) -> bool:
        """Return whether what its attempts said is past its age: it counts from the end, a replay's too."""
        return self.ended_at is None or (ages.attempts is not None and self.ended_at < now - ages.attempts)


def standings(events: Collection[UUID], ages: Ages, *, now: datetime) -> Mapping[UUID, Standing]:
    """Return where the deliveries of each of ``events`` stand.

    What is not finished holds it, and so does a dead letter for its own age, and for as long as it keeps later
    deliveries of its ordering key from running.
    """
    found: defaultdict[UUID, Standing] = defaultdict(Standing)
    rows = Delivery.objects.filter(event__in=events).order_by().values_list(
        "event_id", "status", "finished_at", "ordering_key", "route__ordering_failure"
    )  # fmt: skip
    for event, status, finished_at, ordering_key, on_failure in rows:
        before = found[event]
        is_in_the_way = bool(ordering_key) and on_failure != OrderingFailure.SKIP
        holds = before.holds or _holds(status, finished_at, ages, is_in_the_way=is_in_the_way, now=now)
        ended = max((at for at in (before.ended_at, finished_at) if at), default=None)
        found[event] = Standing(holds, ended)
    return found


def _holds(status: str, finished_at: datetime | None, ages: Ages, *, is_in_the_way: bool, now: datetime) -> bool:
    if status in UNFINISHED or finished_at is None:
        return True
    if status != DeliveryStatus.DEAD:
        return False
    return is_in_the_way or ages.dead_letters is None or finished_at >= now - ages.dead_letters
