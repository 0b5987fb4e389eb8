"""The steps of a delivery's flow as pages and the API show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from deliveries.models import Delivery, DeliveryStatus, Event, FlowStep, StepState
from integrations.handlers import handlers

if TYPE_CHECKING:
    from deliveries.audit import Person

#: What a step with inputs and outputs asks for: both are made of the event's payload.
MAY_SEE_EVENTS = "deliveries.view_event"


@dataclass(frozen=True)
class ShownStep:
    """One step. ``state`` is one of `StepState`, ``pending`` before it began, ``interrupted`` where its attempt ended.

    ``input`` is what its handler made of its config, ``output`` what it returned, both with the provider's credentials
    masked; both are None, and ``omitted`` says so, where what the endpoint receives is hidden. ``tries`` count since
    the delivery was made or replayed.
    """

    name: str
    handler: str
    state: str
    condition: str = ""
    tries: int = 0
    input: Any = None
    output: Any = None
    omitted: bool = False
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def duration(self) -> timedelta | None:
        """How long its last try took; None while it runs, and before."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None

    @property
    def label(self) -> str:
        """The state for people."""
        return self.state.capitalize()


def steps_of(delivery: Delivery, *, user: Person) -> list[ShownStep]:
    """Return the steps of the delivery's flow, in order, as ``user`` may see them; [] if its route has no flow.

    Those that its route has by now and that have not begun are there, too; those that it no longer has are the last.
    """
    rows = {row.name: row for row in FlowStep.objects.filter(delivery=delivery).order_by("position", "name")}
    found = [
        _shown(rows.pop(name), delivery, user=user) if name in rows else ShownStep(name, handler, "pending", condition)
        for name, handler, condition in _planned(delivery)
    ]
    return [*found, *(_shown(row, delivery, user=user) for row in rows.values())]


def outputs_of(event: Event, route: Any) -> dict[str, Any]:
    """Return the outputs, by name, of the steps of the flow that are over for ``event`` and the route of that id.

    The caller has looked whether the event may be shown; credentials in them are masked.
    """
    rows = FlowStep.objects.filter(
        delivery__event=event, delivery__route=route, state__in=(StepState.SUCCEEDED, StepState.SKIPPED)
    )
    return {row.name: event.without_credentials((row.kept or {}).get("output")) for row in rows}


def _planned(delivery: Delivery) -> Iterator[tuple[str, str, str]]:
    """Yield name, handler and condition of each step that the route has by now."""
    entry = handlers.get(delivery.route.handler)
    steps = delivery.route.config.get("steps") if entry is not None and entry.parts is not None else None
    for item in steps if isinstance(steps, list) else ():
        if isinstance(item, Mapping):
            yield str(item.get("name", "")), str(item.get("handler", "")), str(item.get("when", ""))


def _shown(row: FlowStep, delivery: Delivery, *, user: Person) -> ShownStep:
    hidden, given, output = delivery.event.hides_body or not user.has_perm(MAY_SEE_EVENTS), None, None
    try:
        if not hidden:
            given = delivery.event.without_credentials(row.input)
            output = delivery.event.without_credentials((row.kept or {}).get("output"))
    except ImproperlyConfigured:  # no key decrypts it any more
        hidden = True
    return ShownStep(
        row.name,
        row.handler,
        _state_of(row, delivery),
        row.condition,
        row.tries,
        given,
        output,
        hidden,
        row.error,
        row.started_at,
        row.finished_at,
    )


def _state_of(row: FlowStep, delivery: Delivery) -> str:
    holds = delivery.status == DeliveryStatus.RUNNING and row.attempt == delivery.attempt_count
    return "interrupted" if row.state == StepState.RUNNING and not holds else row.state
