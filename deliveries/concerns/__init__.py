"""What needs attention first: plain looks at the hub, for the home page and for whoever else has to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deliveries.concerns import calling, executing, overload, receiving, storing
from deliveries.concerns.concern import Concern, Kind, Level, Page, Place
from deliveries.concerns.sight import Sight

__all__ = ["LOOKS", "Concern", "Kind", "Level", "Page", "Place", "Sight", "concerns"]

#: Each look, and the permission that it takes to be told what it finds. One more is one more line here; its kind has a
#: place in `Kind`, and its page, if that is a new one, in `Page`.
LOOKS: tuple[tuple[str, Callable[[Sight], Iterable[Concern]]], ...] = (
    ("deliveries.view_worker", executing.no_worker),
    ("deliveries.view_worker", executing.silent_workers),
    ("deliveries.view_worker", overload.no_room),
    ("deliveries.view_worker", overload.shedding),
    ("deliveries.view_worker", overload.accept_only),
    ("deliveries.view_worker", storing.disk),
    ("deliveries.view_event", executing.self_check),
    ("deliveries.view_delivery", executing.queue_age),
    ("deliveries.view_delivery", executing.dead_letters),
    ("deliveries.view_parkedkey", executing.blocked_keys),
    ("deliveries.view_delivery", executing.backlogs),
    ("deliveries.view_rejection", receiving.only_refuse),
    ("deliveries.view_event", receiving.silence),
    ("integrations.view_connection", calling.open_circuits),
)


def concerns(sight: Sight) -> list[Concern]:
    """Return what needs attention of what ``sight`` may see, the worst first."""
    found = [concern for permission, look in LOOKS if sight.may(permission) for concern in look(sight)]
    return sorted(found, key=lambda concern: concern.rank)
