"""What the tests of bulk replays share: finished deliveries in numbers, and a feeder that is driven by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from deliveries import bulk_replay
from deliveries.execution import feeder
from deliveries.models import Delivery, Replay, ReplayItem
from deliveries.models.closing import AttemptResult
from deliveries.models.states import DeliveryStatus, Outcome
from integrations.models import Route
from tests.factories import make_delivery, make_endpoint, make_event, make_route

EARLIER = datetime(2026, 3, 1, 9, tzinfo=UTC)


def make_dead(count: int, *, route: Route | None = None, handler: str = "test.note", **values: Any) -> list[Delivery]:
    """Make ``count`` dead letters of one route, in order of receipt."""
    route = route or make_route(make_endpoint(), handler=handler)
    template = make_delivery(route, event=make_event(route.endpoint)).event
    Delivery.objects.filter(event=template).delete()
    facts = {field.attname: getattr(template, field.attname) for field in template._meta.concrete_fields}
    events = []
    for number in range(count):
        key = f"many:{template.pk}:{number}"
        events.append(type(template)(**{**facts, "id": template._meta.pk.get_default(), "dedupe_key": key}))
    type(template).objects.bulk_create(events, batch_size=500)
    rows = [
        Delivery(
            **{
                "event": event,
                "endpoint": route.endpoint,
                "route": route,
                "status": "dead",
                "due_at": EARLIER,
                "created_at": EARLIER,
                "finished_at": EARLIER + timedelta(milliseconds=number),
                "attempt_count": 3,
                "last_error": "Broken: it does not work",
                "next_trigger": "retry",
                **values,
            }
        )
        for number, event in enumerate(events)
    ]
    return Delivery.objects.bulk_create(rows, batch_size=500)


def order(selection: dict[str, Any] | None = None, **values: Any) -> Replay:
    complete = bulk_replay.complete(selection or {}, everything=True)
    return bulk_replay.order(complete, by=None, **values)


def feed(now: datetime | None = None, *, times: int = 1) -> None:
    for _ in range(times):
        feeder.feed_all(now or timezone.now())


def counts(replay: Replay) -> dict[str, int]:
    """Return how many items of the order are in each state."""
    found: dict[str, int] = {}
    for state in ReplayItem.objects.filter(replay=replay).values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def standing(row: Delivery) -> dict[str, Any]:
    """Return the columns of the delivery as they are stored."""
    return Delivery.objects.filter(pk=row.pk).values()[0]


def claim(*, limit: int = 500, now: Any = None) -> list[Delivery]:
    return Delivery.objects.claim(limit=limit, now=now or timezone.now(), lease=timedelta(seconds=15), worker="one:1")


def close(row: Delivery, status: DeliveryStatus = DeliveryStatus.SUCCEEDED) -> None:
    now = timezone.now()
    outcome = Outcome.SUCCEEDED if status == DeliveryStatus.SUCCEEDED else Outcome.FAILED
    due_at = now + timedelta(minutes=1) if status == DeliveryStatus.WAITING else None
    result = AttemptResult(outcome=outcome)
    assert Delivery.objects.close(row.pk, row.attempt_count, result, status=status, now=now, due_at=due_at)


def without_due(row: Delivery) -> dict[str, Any]:
    return {name: value for name, value in standing(row).items() if name != "due_at"}
