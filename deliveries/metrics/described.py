"""Every metric: its name, what it counts by, and what it says. The reference's table is written from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily

#: So many due deliveries of a route and lane, and so many of its dead letters, are counted.
MOST = 10_000

_FAMILIES = {"counter": CounterMetricFamily, "histogram": HistogramMetricFamily, "gauge": GaugeMetricFamily}
_SUFFIXES = {"counter": "_total", "info": "_info"}


@dataclass(frozen=True)
class Described:
    """One metric; ``text`` is what Prometheus shows, ``more`` what the reference adds, in Markdown."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()
    more: str = ""

    @property
    def exposed_name(self) -> str:
        """The name under which it is asked for."""
        return f"{self.name}{_SUFFIXES.get(self.kind, '')}"


_ENDPOINT = ("endpoint",)
_ROUTE = ("endpoint", "route")
_OUTCOME = ("endpoint", "route", "outcome")

METRICS: tuple[Described, ...] = (
    Described("hub_events_accepted", "counter", "Events that were verified and stored.", _ENDPOINT),
    Described(
        "hub_requests_duplicate", "counter", "Requests that told of an event which was there already.", _ENDPOINT
    ),
    Described(
        "hub_requests_refused",
        "counter",
        "Requests that were refused.",
        ("endpoint", "reason"),
        "`reason` is the [exact reason](receiving.md).",
    ),
    Described(
        "hub_deliveries",
        "counter",
        "Deliveries that came to an end.",
        _OUTCOME,
        "`outcome` is `succeeded`, `dead` or `discarded`. One that is replayed may end again.",
    ),
    Described(
        "hub_attempts",
        "counter",
        "Attempts that ended.",
        _OUTCOME,
        "`outcome` is `succeeded` or `failed` (time-outs and lost workers too). What only waited for an outside "
        "system, and spent no attempt, is not counted.",
    ),
    Described("hub_ack_seconds", "histogram", "From the hub's first look at a request to its answer.", _ENDPOINT),
    Described(
        "hub_delivery_seconds",
        "histogram",
        "From receipt, or the latest replay, to success; bulk replays are not timed.",
        _ROUTE,
    ),
    Described("hub_handler_seconds", "histogram", "How long handlers ran.", _ROUTE),
    Described(
        "hub_queue_depth",
        "gauge",
        f"Deliveries that could run now; of a route at most {MOST:,} live ones and as many of bulk replays.",
        _ROUTE,
    ),
    Described("hub_queue_age_seconds", "gauge", "How long the oldest of them has been due.", _ROUTE),
    Described(
        "hub_dead_letters",
        "gauge",
        f"Deliveries that gave up and wait for somebody; of a route at most {MOST:,}.",
        _ROUTE,
    ),
    Described(
        "hub_connection_open",
        "gauge",
        "Whether the circuit of a connection keeps calls from being made, being tried again included.",
        ("connection",),
    ),
    Described("hub_connection_failures", "gauge", "Failures of a connection in a row.", ("connection",)),
    Described("hub_workers", "gauge", "Worker processes that are heard of.", more="Within 30 s."),
    Described(
        "hub_self_check_age_seconds",
        "gauge",
        "Since the newest event of the self-check that came out.",
        more="Only with HUB_SELF_CHECK_SECONDS.",
    ),
    Described("hub_worker_threads", "gauge", "Handlers that they can run at once."),
    Described("hub_worker_threads_busy", "gauge", "Handlers that they run."),
    Described("hub_worker_silence_seconds", "gauge", "Since the last sign of life of any worker."),
    Described(
        "hub_database_connections",
        "gauge",
        "Connections to the hub's database, whoever has them, by what they do.",
        ("state",),
        "PostgreSQL only.",
    ),
    Described("hub_database_connections_limit", "gauge", "The server's max_connections.", more="PostgreSQL only."),
    Described(
        "hub_statistics_lag_seconds", "gauge", "How much too long counts of the asked process wait to be written."
    ),
    Described(
        "hub_refused_below_priority",
        "gauge",
        "Endpoints of a lower priority are refused as there is more than the hub can take; of the asked process.",
        more="0 is none; with a fraction, a part of one priority.",
    ),
    Described("hub_accept_only", "gauge", "Whether events are stored and no handler is begun; of the asked process."),
    Described(
        "hub_request_wait_seconds",
        "gauge",
        "The shortest wait for a thread of the asked process in the last second.",
        more="Without requests there is none.",
    ),
    Described(
        "hub_disk_free_bytes",
        "gauge",
        "What is free on the database's disk.",
        more="Where it is seen: SQLite, or with HUB_DATABASE_DIR.",
    ),
    Described("hub_build", "info", "The hub's version.", ("version",)),
)
_BY_NAME: Mapping[str, Described] = {metric.name: metric for metric in METRICS}


def family(name: str) -> Any:
    """Return an empty family of the metric ``name``, a counter, a gauge or a histogram, with its text and labels."""
    metric = _BY_NAME[name]
    return _FAMILIES[metric.kind](metric.name, metric.text, labels=list(metric.labels))


def info(name: str, value: Mapping[str, str]) -> InfoMetricFamily:
    """Return the metric ``name`` that only says ``value``."""
    return InfoMetricFamily(name, _BY_NAME[name].text, dict(value))
