"""Bulk replay: an operator's order to run again all deliveries that match, carried out by the workers bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from deliveries import audit
from deliveries.models import DeliveryStatus, Replay
from deliveries.models import replaying as moves
from deliveries.models.selection import described, in_sight, reach
from deliveries.models.states import FINISHED
from integrations.models import Endpoint, Route

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = structlog.get_logger(__name__)

#: Faster than the lane of bulk replays is at any rate.
HIGHEST_RATE = 1000.0
LOWEST_RATE = 0.001
#: Deliveries that one order may name one by one.
MOST_NAMED = 1000
#: What a selection without a status is about.
_WITHOUT_STATUS = [DeliveryStatus.DEAD.value]


class NothingSelected(ValueError):
    """The selection is empty, and nobody has said that all is meant."""


class NotReplayable(ValueError):
    """The selection names a status in which nothing can be replayed; the text says which can."""


@dataclass(frozen=True)
class Matching:
    """How many deliveries of one route stand in ``status``."""

    endpoint: str
    route_id: str
    route_name: str
    status: str
    count: int

    def as_json(self) -> dict[str, Any]:
        """Return the row of a dry run's answer."""
        return {
            "endpoint": self.endpoint,
            "route": self.route_id,
            "route_name": self.route_name,
            "status": self.status,
            "count": self.count,
        }


def complete(selection: Mapping[str, Any], *, everything: bool = False) -> dict[str, Any]:
    """Return the selection that is meant: without a status, and without named deliveries, the dead letters.

    Raises `NothingSelected` for an empty one, unless ``everything`` is meant, and `NotReplayable`.
    """
    if not selection and not everything:
        raise NothingSelected("An empty filter would replay every dead letter; say all if that is meant.")
    wrong = sorted(set(selection.get("status", ())) - set(FINISHED))
    if wrong:
        can = ", ".join(FINISHED)
        raise NotReplayable(f"Deliveries that are {' or '.join(wrong)} cannot be replayed, only {can} ones.")
    if "deliveries" in selection or selection.get("status"):
        return dict(selection)
    return {**selection, "status": _WITHOUT_STATUS}


def preview(selection: Mapping[str, Any]) -> list[Matching]:
    """Return what an order for a complete ``selection`` would run again if it were given now, by route and status."""
    counted = moves.covered(dict(selection)).order_by().values_list("route_id", "status").annotate(count=Count("pk"))
    return _named({(route, status): count for route, status, count in counted})


def preview_of_some(selection: Mapping[str, Any], *, most: int) -> tuple[list[Matching], bool]:
    """Return what `preview` does, but count no further than ``most`` deliveries; and whether there are more."""
    counted = moves.counted_of_some(dict(selection), most=most + 1)
    return _named(counted), sum(counted.values()) > most


def an_error_of(selection: Mapping[str, Any]) -> str:
    """Return what one of those that a complete ``selection`` covers failed with last; "" where none is kept."""
    errors = moves.covered(dict(selection)).order_by().exclude(last_error="").values_list("last_error", flat=True)
    return next(iter(errors[:1]), "")


def _named(counts: Mapping[tuple[UUID, str], int]) -> list[Matching]:
    rows = Route.objects.filter(pk__in={route for route, _ in counts}).values_list("pk", "endpoint__slug", "name")
    names = {pk: (slug, name) for pk, slug, name in rows}
    found = [
        Matching(endpoint, str(pk), name, status, count)
        for (pk, status), count in counts.items()
        for endpoint, name in [names[pk]]
    ]
    return sorted(found, key=lambda row: (-row.count, row.endpoint, row.route_name, row.status))


def order(
    selection: Mapping[str, Any],
    *,
    by: User | None,
    from_start: bool = False,
    rate_per_second: float | None = None,
    via: str = "",
    now: datetime | None = None,
) -> Replay:
    """Give an order for a complete ``selection`` and return it; the workers begin with it within seconds.

    It is in the log in the name of ``by``; None is who has the command line. Of who is restricted to groups it covers
    what is in these groups now.
    """
    meant = dict(selection) if by is None else in_sight(selection, by)
    with transaction.atomic():
        replay = Replay.objects.create(
            selection=meant,
            description=described(meant, viewer=by)[:300],
            from_start=from_start,
            rate_per_second=rate_per_second,
            total=moves.covered(meant).count(),
            created_by=by.get_username() if by else "command line",
            created_at=now or timezone.now(),
        )
        replay.endpoints.set(Endpoint.objects.filter(pk__in=reach(meant) or ()))
        what = f"Ordered for {replay.description}; {replay.total} deliveries."
        if by is not None:
            audit.record(audit.Action.ORDERED, replay, by=by, message=what, via=via)
    logger.info("replay.ordered", replay=str(replay.pk), by=replay.created_by, deliveries=replay.total)
    return replay


def pause(replay: Replay, *, by: User, via: str = "") -> bool:
    """Stop the order until it is resumed, and take out of the queue what has not started; False if it does not run."""
    return _moved(replay, moves.pause, "Paused.", by=by, via=via)


def resume(replay: Replay, *, by: User, via: str = "") -> bool:
    """Let a paused order go on; False if it is not paused."""
    return _moved(replay, moves.resume, "Resumed.", by=by, via=via)


def cancel(replay: Replay, *, by: User, via: str = "", now: datetime | None = None) -> bool:
    """End the order; what has not started stands again as it stood before. False if it has ended already."""
    at = now or timezone.now()
    return _moved(replay, lambda pk: moves.cancel(pk, now=at), "Cancelled.", by=by, via=via)


def _moved(replay: Replay, move: Callable[[Any], bool], entry: str, *, by: User, via: str) -> bool:
    with transaction.atomic():
        moved = move(replay.pk)
        if moved:
            audit.record(audit.Action.ORDERED, replay, by=by, message=entry, via=via)
    replay.refresh_from_db()
    return moved
