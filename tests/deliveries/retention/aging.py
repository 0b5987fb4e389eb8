"""Events of a certain age, with what belongs to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.models import Attempt, Delivery, Event, FlowStep, StepResult
from deliveries.retention.sweep import prune_events
from integrations.models import Endpoint
from tests.factories import make_delivery, make_endpoint, make_event, make_route

NOW = timezone.now().replace(microsecond=0)
MARKER = "ada@example.com"


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


class Aging:
    """Bodies, headers and attempts are kept for 30 days, dead letters for 60, events for 100."""

    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="orders")
        self.route = make_route(self.endpoint)

    def event(self, days: float, *, endpoint: Endpoint | None = None, **values: Any) -> Event:
        place = endpoint or self.endpoint
        filled = {
            "headers": {"X-Customer": MARKER},
            "query_string": f"mail={MARKER}",
            "body": b'{"mail": "%s"}' % MARKER.encode(),
        }
        return make_event(place, received_at=ago(days), **{**filled, **values})  # fmt: skip

    def delivered(
        self, days: float, *, status: str = "succeeded", ended: float | None = None, **values: Any
    ) -> Delivery:
        """Return a delivery of an event that came ``days`` ago and has an attempt and a kept step."""
        finished_at = (
            None if status in {"pending", "held", "waiting", "running"} else ago(days if ended is None else ended)
        )
        event = values.pop("event", None) or self.event(days)
        row = make_delivery(self.route, event=event, now=ago(days), status=status, finished_at=finished_at, **values)
        said = {"error_message": MARKER, "traceback": MARKER, "log": [{"message": MARKER}], "response": {"a": MARKER},
                "calls": [{"body": MARKER}]}  # fmt: skip
        Attempt.objects.create(
            delivery=row, number=1, trigger="first", started_at=ago(days), finished_at=ago(days), outcome="failed",
            error_type="ValueError", **said,
        )  # fmt: skip
        StepResult.objects.create(delivery=row, key="contact", value={"mail": MARKER})
        FlowStep.objects.create(
            delivery=row, name="contact", position=0, handler="http.request", state="failed", attempt=1, error=MARKER,
            input={"mail": MARKER}, kept={"output": MARKER}, started_at=ago(days), finished_at=ago(days),
        )  # fmt: skip
        return row

    def prune(self, *, dry_run: bool = False, days: float = 0) -> dict[str, int]:
        return dict(prune_events(now=NOW + timedelta(days=days), dry_run=dry_run, pause=lambda _: None))

    def knows_kept_keys(self, endpoint: Endpoint | None = None) -> None:
        """Let receiving have had notice of keys without events."""
        Endpoint.objects.filter(pk=(endpoint or self.endpoint).pk).update(keys_kept_since=ago(1))


_AGES = override_settings(
    HUB_BODY_DAYS=30, HUB_HEADERS_DAYS=30, HUB_ATTEMPT_DAYS=30, HUB_DEAD_LETTER_DAYS=60, HUB_EVENT_DAYS=100
)


@_AGES
class RetentionTestCase(Aging, TestCase):
    """In a transaction that is taken back."""


@_AGES
class CommittedRetentionTestCase(Aging, TransactionTestCase):
    """For what is not done within a transaction, such as calls of outside systems."""
