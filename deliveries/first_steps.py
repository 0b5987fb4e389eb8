"""How far the setting up of an endpoint is. The rows themselves say it, so it can be left and taken up by anyone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Exists, OuterRef

from deliveries import audit
from deliveries.concerns import Sight
from deliveries.models import AuditEntry, Delivery, DeliveryStatus, Event, Rollup
from deliveries.models.rollup import EPOCH, NO_ROUTE, Measure
from integrations.models import Endpoint, EndpointState, Route

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

#: Beginnings that are offered to be taken up, the newest ones.
_OFFERED = 5
#: Deliveries are found by their events, of which there is an index.
_LATEST = 5


#: What somebody began longer ago is not pointed to any more; of what is newer, so many are looked at.
_RECENT = timedelta(days=14)
_LOOKED_AT = 20
_POINTED_TO = 3


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


@dataclass(frozen=True)
class Left:
    """An endpoint whose setting up somebody has left before its end."""

    endpoint: Endpoint
    has_event: bool
    has_route: bool


def left(sight: Sight) -> list[Left]:
    """Return the newest endpoints that the user made of late in the admin and that lack an event or a route.

    Two looks at indexes, at the audit log and at the counts of all time, whatever there is of events; none where nobody
    has made an endpoint of late.
    """
    new = [row for row in sight.endpoints.values() if _is_new(row, sight.now)]
    new = sorted(new, key=lambda row: row.created_at, reverse=True)[:_LOOKED_AT]
    if not new or sight.user is None:
        return []
    made = AuditEntry.objects.filter(object_type=audit.kind_of(Endpoint), object_id__in=[str(row.pk) for row in new])
    made = made.filter(user=sight.user.pk, action=audit.Action.MADE, via="admin")
    mine = {UUID(pk) for pk in made.values_list("object_id", flat=True)}
    if not mine:
        return []
    accepted = Rollup.objects.ever().filter(measure=Measure.ACCEPTED, starts_at=EPOCH, route=NO_ROUTE)
    heard = set(accepted.filter(endpoint__in=mine).values_list("endpoint_id", flat=True))
    routed = {row.endpoint_id for row in sight.routes.values() if row.retired_at is None}
    found = [Left(row, row.pk in heard, row.pk in routed) for row in new if row.pk in mine]
    return [row for row in found if not (row.has_event and row.has_route)][:_POINTED_TO]


def _is_new(row: Endpoint, now: datetime) -> bool:
    is_set_up = row.retired_at is None and row.state != EndpointState.DISABLED and row.provider != "internal"
    return is_set_up and row.created_at >= now - _RECENT
