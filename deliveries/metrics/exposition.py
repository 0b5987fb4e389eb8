"""The text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from deliveries.metrics import counters, gauges

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person


class _Hub(Collector):
    def __init__(self, user: Person | None, now: datetime) -> None:
        self._user, self._now = user, now

    def collect(self) -> Iterator[Metric]:
        yield from counters.families(self._user)
        yield from gauges.families(self._user, now=self._now)


def exposed(user: Person | None, *, now: datetime, accept: str = "") -> tuple[bytes, str]:
    """Return all metrics that ``user`` may see (None: all), and their content type, in a form that ``accept`` names.

    Without one it is Prometheus' text format. Raises Django's database errors.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Hub(user, now))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
