"""How far the setting up of an endpoint is. The rows themselves say it, so it can be left and taken up by anyone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef

from deliveries.models import Delivery, DeliveryStatus, Event
from integrations.models import Endpoint, Route

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

#: Beginnings that are offered to be taken up, the newest ones.
_OFFERED = 5
#: Deliveries are found by their events, of which there is an index.
_LATEST = 5


class Step(StrEnum):
    """One step, in the order in which they are taken."""

    SENDER = "sender"
    CONNECT = "connect"
    EVENT = "event"
    ROUTE = "route"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """Which steps of an endpoint are done."""

    done: frozenset[Step]

    @property
    def next(self) -> Step:
        """The first step that is not done; the last one where all are."""
        return next((step for step in Step if step not in self.done), Step.DONE)


def progress(endpoint: Endpoint, *, now: datetime) -> Progress:
    """Return how far ``endpoint`` is."""
    newest = newest_delivery(endpoint)
    facts = {
        Step.SENDER: True,
        Step.CONNECT: not endpoint.needs_secret or endpoint.secrets.live(now).exists(),
        Step.EVENT: Event.objects.filter(endpoint=endpoint).exists(),
        Step.ROUTE: endpoint.routes.live().exists(),
        Step.DONE: newest is not None and newest.status == DeliveryStatus.SUCCEEDED,
    }
    return Progress(frozenset(step for step, is_done in facts.items() if is_done))


def newest_delivery(endpoint: Endpoint) -> Delivery | None:
    """Return the newest delivery of the latest events of ``endpoint``; None if none of them has one."""
    events = Event.objects.filter(endpoint=endpoint).order_by("-received_at").values_list("pk", flat=True)
    rows = Delivery.objects.filter(event__in=list(events[:_LATEST])).select_related("route")
    return rows.order_by("-created_at", "-pk").first()


def begun(user: User | AnonymousUser) -> list[Endpoint]:
    """Return the newest endpoints that ``user`` may see and of which nothing has come, or been delivered, yet."""
    live = Endpoint.objects.live().visible_to(user).exclude(provider="internal")
    rows = live.annotate(
        has_event=Exists(Event.objects.filter(endpoint=OuterRef("pk"))),
        has_route=Exists(Route.objects.live().filter(endpoint=OuterRef("pk"))),
        has_delivery=Exists(Delivery.objects.filter(endpoint=OuterRef("pk"))),
    ).exclude(has_event=True, has_route=True, has_delivery=True)
    return list(rows.defer("settings").order_by("-created_at")[:_OFFERED])
