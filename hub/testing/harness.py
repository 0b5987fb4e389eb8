"""A hub in the test's own process, behind the fixture ``hub``."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from deliveries.execution.drain import Drain
from deliveries.execution.pulse import Pulse
from deliveries.execution.stopping import StopFlag
from deliveries.execution.threads import HandlerThreads
from deliveries.models import Attempt, Delivery, DeliveryStatus, Event, FlowStep
from deliveries.receiving.samples import send_sample
from integrations.handlers import handlers, route_defaults
from integrations.models import Endpoint, Route, Secret
from integrations.validation import validate_handler_config


@dataclass(frozen=True)
class Received:
    """What the hub answered to one request, and what it has made of it.

    ``deliveries`` are as they stood when the worker had nothing left to do; `HubUnderTest.refreshed` looks again.
    """

    status: int
    answer: Any
    event: Event | None
    deliveries: tuple[Delivery, ...]

    @property
    def delivery(self) -> Delivery:
        """The only delivery; raises `AssertionError` if there is none, or several."""
        if len(self.deliveries) != 1:
            raise AssertionError(f"There are {len(self.deliveries)} deliveries; the hub answered {self.answer!r}.")
        return self.deliveries[0]

    @property
    def attempt(self) -> Attempt:
        """The last attempt of the only delivery: its log, its error, what an outside system answered."""
        return Attempt.objects.filter(delivery=self.delivery).order_by("-number")[0]


class HubUnderTest:
    """Makes endpoints and routes, sends them signed events, and works until nothing is due.

    Handlers run in a thread of this process, under their route's time limit.
    """

    def __init__(self) -> None:
        self._threads = HandlerThreads(1)

    def endpoint(self, slug: str, *, provider: str = "generic_hmac", secret: str = "", **values: Any) -> Endpoint:
        """Make an endpoint that takes what ``provider`` signs, with ``secret`` or one of this test's own.

        Raises `ValueError` where only you can know what a secret of the provider looks like.
        """
        endpoint = Endpoint(slug=slug, **{"name": slug, "provider": provider, **values})
        endpoint.full_clean()
        endpoint.save()
        scheme = endpoint.preset.scheme_for(endpoint.settings)
        if secret or (scheme.needs_key and scheme.symmetric and endpoint.url is not None):
            row = Secret(endpoint=endpoint, label="test", value=secret or _secret_for(scheme.check_key, provider))
            row.full_clean()
            row.save()
        return endpoint

    def route(self, endpoint: str, *, handler: str, **values: Any) -> Route:
        """Make a route of the endpoint to a handler, with what the handler wishes unless ``values`` say otherwise.

        Raises `LookupError` if there is no such handler, Django's `ValidationError` for a config that it does not take.
        """
        if handler not in handlers:
            raise LookupError(f"No handler is called {handler!r}. Is its package named in HUB_AUTOMATIONS?")
        validate_handler_config(handler, values.get("config", {}))
        row = Route(
            endpoint=Endpoint.objects.live().get(slug=endpoint),
            **{"name": handler, "handler": handler, **route_defaults(handler), **values},
        )
        row.full_clean()
        row.save()
        return row

    def deliver(self, endpoint: str, payload: Any = None, *, event_type: str = "", work: bool = True) -> Received:
        """Send an event, signed as the provider signs, through the receiving path, then `work`.

        ``payload`` is the decoded body; without one it is the provider's example. An event of ``event_type`` is an
        example of that type; where the type stands in the body, a payload of your own says it itself.
        """
        row = Endpoint.objects.live().get(slug=endpoint)
        status, answer = send_sample(row, event_type=event_type, payload=payload)
        id_of_event = answer.get("event") if isinstance(answer, dict) else None
        if work:
            self.work()
        event = Event.objects.select_related("endpoint").get(pk=id_of_event) if id_of_event else None
        rows = Delivery.objects.filter(event=event).select_related("route").order_by("pk") if event else ()
        return Received(status, answer, event, tuple(rows))

    def work(self) -> None:
        """Run what is due, to the end, as a worker does."""
        Drain(_QuietPulse(), self._threads, stop=StopFlag(), end_process=_hung).run()

    def refreshed(self, delivery: Delivery) -> Delivery:
        """Return the delivery as it stands by now."""
        return Delivery.objects.select_related("route").get(pk=delivery.pk)

    def steps(self, delivery: Delivery) -> list[FlowStep]:
        """Return the steps of the delivery's flow that have begun, in order: their ``state``, ``input`` and ``kept``.

        The output of one that succeeded is ``kept["output"]``.
        """
        return list(FlowStep.objects.filter(delivery=delivery).order_by("position"))

    def emitted(self, event: Event) -> list[Event]:
        """Return the events that handlers have made of ``event``, in order; not what somebody made of it by hand."""
        return list(Event.objects.filter(derived_from=event, requested_by="").order_by("pk"))

    def due_in(self, delivery: Delivery) -> float:
        """Return in how many seconds a waiting delivery is due."""
        row = self.refreshed(delivery)
        if row.status != DeliveryStatus.WAITING or row.due_at is None:
            raise AssertionError(f"The delivery is {row.status}, it does not wait.")
        return (row.due_at - timezone.now()).total_seconds()

    def close(self) -> None:
        """End the worker's thread."""
        self._threads.close()


class _QuietPulse(Pulse):
    """A worker's signs of life, for nobody."""

    def beat(self, *args: Any, **values: Any) -> None:
        """Write no row: a test's worker is over when it returns."""


def _hung(_code: int) -> None:
    raise AssertionError("A handler could not be ended within its route's time limit.")


def _secret_for(check_key: Callable[[str], None], provider: str) -> str:
    for candidate in _candidates():
        try:
            check_key(candidate)
        except ValueError:
            continue
        return candidate
    raise ValueError(f"What does a secret of {provider} look like? Give one: hub.endpoint(..., secret=...).")


def _candidates() -> Iterator[str]:
    spelled = base64.b64encode(secrets.token_bytes(32)).decode()
    yield from (secrets.token_hex(32), f"whsec_{spelled}", spelled, f"user:{secrets.token_hex(16)}")
    yield from (secrets.token_hex(16), "https://hub.example.com/audience", "arn:aws:sns:eu-west-1:123456789012:orders")
