"""What tests of the index share: an index that is written for a few events at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.test import TestCase
from django.utils import timezone

from deliveries.models import Event, IndexCoverage, IndexSegment
from deliveries.payload_index import coverage, look
from deliveries.payload_index.rounds import Indexer
from deliveries.payload_search import Wanted
from tests.factories import make_endpoint, make_event


@contextmanager
def segments_of(events: int) -> Iterator[None]:
    """Let a segment have ``events`` events."""
    with ExitStack() as stack:
        for name in ("rounds", "upkeep"):
            stack.enter_context(patch(f"deliveries.payload_index.{name}.MOST_EVENTS", events))
        yield


class IndexTestCase(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()
        self.shop = make_endpoint(slug="shop")
        self.enterContext(segments_of(4))

    def event(self, payload: Any, *, minutes: float = 60.0, **values: Any) -> Event:
        """Return an event that came so many minutes ago."""
        at = self.now - timedelta(minutes=minutes)
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return make_event(**{"endpoint": self.shop, "body": body, "received_at": at, **values})

    def events(self, number: int, *, minutes: float = 60.0, name: str = "n") -> list[Event]:
        """Return events a second apart; in the field ``name`` each has its number."""
        return [self.event({name: each}, minutes=minutes - each / 60) for each in range(number)]

    def index(self, now: datetime | None = None) -> None:
        Indexer().work_off(now or self.now)
        IndexCoverage.objects.update(held_until=self.now)  # as if that worker had ended long ago

    def found(self, text: str) -> set[UUID]:
        """Return the events that the index leads to, of all."""
        covered = coverage()
        return set(look(Wanted.read(text), covered, start=None).events) if covered is not None else set()

    def in_index(self) -> list[UUID]:
        return [pk for segment in IndexSegment.objects.order_by("last_at", "pk") for pk in segment.events]
