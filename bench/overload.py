"""What becomes of urgent requests when there is far too much: ``python -m bench.overload [--seconds 120] [--times 3]``.

A whole hub with its own settings, over loopback, and senders in processes of their own. First the capacity: how many
events of an ordinary endpoint (priority 5) a second are acknowledged while as many are sent as go in. Then so many
``--times`` that are sent at a fixed rate for ``--seconds``, answered or not, and beside them a tenth of the capacity
for a critical endpoint (priority 9). A request's time runs from when it was to be sent. Then the load stops, and one
request each 50 ms says how long it takes until all are taken in again at once.

It fails unless critical requests are all acknowledged with a p99 under a second, every acknowledged event is stored
with its delivery, and the hub has recovered within a minute. On PostgreSQL: ``python -m tests.with_postgres python -m
bench.overload``. The senders share the machine's cores with the hub: what is measured is the worse for it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import http.client
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench import report
from tests.running_hub import RunningHub, running_hub

_SECRET = "correct horse battery staple"  # noqa: S105 - of endpoints that last a minute
_FILLING = "x" * 900
_ACK_LIMIT_SECONDS, _RECOVERY_LIMIT_SECONDS = 1.0, 60.0
_CAPACITY_SECONDS = 4.0
_CRITICAL_PART = 0.1
_CONNECTIONS = {"ordinary": 400, "critical": 64}
_FIRST_SECONDS = 3.0
#: In a row taken in at once, and nobody refused any more: then it has recovered.
_GOOD_IN_A_ROW = 20
_AT_ONCE_SECONDS = 0.5


@dataclass
class Sent:
    """What came of the requests of one sender; ``taken`` are seconds of those that were acknowledged.

    ``late`` are those of them that were to be sent after the hub had a few seconds to see what is going on.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    taken: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Load:
    """``rate`` requests a second (None: as many as go in) for ``seconds``, over so many connections."""

    slug: str
    rate: float | None
    seconds: float
    connections: int


def main() -> int:
    """Measure, print, and return 1 if a promise was not kept."""
    options = _options()
    facts = report.facts()
    with tempfile.TemporaryDirectory() as folder, running_hub(Path(folder), HUB_OWN_CORES="true") as hub:
        hub.python(_MAKE)
        hub.start()
        [calm] = _together(hub.port, [Load("ordinary", None, _CAPACITY_SECONDS, 32)])
        capacity = len(calm.taken) / _CAPACITY_SECONDS
        rates = {"ordinary": options.times * capacity, "critical": _CRITICAL_PART * capacity}
        print(f"capacity {capacity:.0f}/s at 32 connections", flush=True)
        loads = [Load(slug, rate, options.seconds, _CONNECTIONS[slug]) for slug, rate in rates.items()]
        before = psutil.cpu_times()
        ordinary, critical = _together(hub.port, loads)
        facts |= {"processor_meanwhile": _parts(before), "load_after": os.getloadavg()}
        recovered, after = _recovery(hub)
        lost = _lost(hub, Path(folder), [*calm.acknowledged, *ordinary.acknowledged, *critical.acknowledged, *after])
        hub.stop()
    figures = {
        "database": "PostgreSQL" if os.environ.get("TEST_DATABASE_URL") else "SQLite",
        "seconds": options.seconds,
        "capacity_per_second": round(capacity, 1),
        "calm": _figures(calm, _CAPACITY_SECONDS),
        "ordinary": {"sent_per_second": round(rates["ordinary"], 1), **_figures(ordinary, options.seconds)},
        "critical": {"sent_per_second": round(rates["critical"], 1), **_figures(critical, options.seconds)},
        "recovered_after_seconds": round(recovered, 1),
        "acknowledged_and_lost": lost,
    }
    print(json.dumps(figures, indent=2))
    if options.save:
        report.save({"facts": facts, "figures": figures}, options.save)
    kept = _quantile(critical.taken, 0.99) < _ACK_LIMIT_SECONDS and set(critical.statuses) == {200} and not lost
    return int(not (kept and recovered < _RECOVERY_LIMIT_SECONDS))


_MAKE = f"""
from tests.factories import make_endpoint, make_route
for slug, priority in (("ordinary", 5), ("critical", 9)):
    made = make_endpoint(slug=slug, provider="generic_hmac", secret="{_SECRET}", priority=priority,
                         settings={{"event_id": "header:X-Event-Id", "event_type": "body:type"}})
    make_route(made)
"""
_COUNT = """
import pathlib
from deliveries.models import Delivery, Event
wanted = set(pathlib.Path({path!r}).read_text().split())
stored = dict(Event.objects.values_list("event_id", "pk"))
delivered = set(Delivery.objects.values_list("event_id", flat=True))
print(sum(name not in stored or stored[name] not in delivered for name in wanted))
"""


def _parts(before: Any) -> dict[str, float]:
    """Return which part of the processors' time since ``before`` was idle, and which other machines had of them."""
    after = psutil.cpu_times()
    names = [
        name for name in ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal") if hasattr(after, name)
    ]
    spent = {name: getattr(after, name) - getattr(before, name) for name in names}
    return {name: round(spent.get(name, 0.0) / sum(spent.values()), 3) for name in ("idle", "steal")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long the overload lasts")
    parser.add_argument("--times", type=float, default=3, help="of the capacity")
    parser.add_argument("--save", default="", metavar="NAME", help="keep the figures in bench/results/NAME.json")
    return parser.parse_args()


def _together(port: int, loads: Sequence[Load]) -> list[Sent]:
    """Send all ``loads`` at the same time, each from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(len(loads)) as pool:
        return pool.starmap(_send_all, [(port, load) for load in loads])


def _send_all(port: int, load: Load) -> Sent:
    return asyncio.run(_Sender(port, load).run())


class _Sender:
    def __init__(self, port: int, load: Load) -> None:
        self._port, self._load = port, load
        self._numbers = itertools.count()
        self._sent = Sent()
        self._began = 0.0

    async def run(self) -> Sent:
        """Send until the time is over; what is under way then is waited for."""
        self._began = time.monotonic()
        await asyncio.gather(*(self._connection() for _ in range(self._load.connections)))
        return self._sent

    async def _connection(self) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while (due := self._due(number := next(self._numbers))) < self._began + self._load.seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() > self._began + self._load.seconds + 5:
                break  # the others had been sent by then if the connections were enough
            name = f"{self._load.slug}-{self._began:.6f}-{number}"
            status = 0
            with suppress(OSError, asyncio.IncompleteReadError, ValueError, IndexError):
                streams = streams or await asyncio.open_connection("127.0.0.1", self._port)
                status, keep = await _exchange(*streams, _request(self._load.slug, name))
                if not keep:
                    streams[1].close()
                    streams = None
            if not status:
                streams = None
            self._sent.statuses[status] += 1
            if status == 200:
                self._sent.taken.append(time.monotonic() - due)
                if due >= self._began + _FIRST_SECONDS:
                    self._sent.late.append(self._sent.taken[-1])
                self._sent.acknowledged.append(name)
        if streams:
            streams[1].close()

    def _due(self, number: int) -> float:
        return time.monotonic() if self._load.rate is None else self._began + number / self._load.rate


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bool]:
    """Return the status of the answer, and whether the connection may be used again."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1]), "connection: close" not in head


def _request(slug: str, name: str) -> bytes:
    body = json.dumps({"type": "push", "name": name, "filling": _FILLING}).encode()
    signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hooks/{slug} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Signature: {signature}\r\nX-Event-Id: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _recovery(hub: RunningHub) -> tuple[float, list[str]]:
    """Return after how many seconds the hub took in again all that was sent, and what it acknowledged meanwhile."""
    began = good_since = time.monotonic()
    good = 0
    acknowledged: list[str] = []
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
    for number in itertools.count():
        name, at = f"after-{number}", time.monotonic()
        if at - began > 2 * _RECOVERY_LIMIT_SECONDS:
            return float("inf"), acknowledged
        head, _, body = _request("ordinary", name).partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        connection.request("POST", "/hooks/ordinary", body, headers)
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            acknowledged.append(name)
        if response.status == 200 and time.monotonic() - at < _AT_ONCE_SECONDS:
            good_since = at if not good else good_since
            good += 1
        else:
            good = 0
        if good >= _GOOD_IN_A_ROW:
            return good_since - began, acknowledged
        time.sleep(0.05)
    raise AssertionError("never reached")


def _lost(hub: RunningHub, folder: Path, acknowledged: Sequence[str]) -> int:
    path = folder / "acknowledged"
    path.write_text("\n".join(acknowledged))
    return int(hub.python(_COUNT.format(path=str(path))))


def _figures(sent: Sent, seconds: float) -> dict[str, Any]:
    """Return what came of it: answers by status ("0" is none), and how long those took that were acknowledged."""
    return {
        "answers": {str(status): count for status, count in sorted(sent.statuses.items())},
        "acknowledged_per_second": round(len(sent.taken) / seconds, 1),
        "ack_p50_ms": _milliseconds(sent.taken, 0.5),
        "ack_p99_ms": _milliseconds(sent.taken, 0.99),
        "ack_longest_ms": _milliseconds(sent.taken, 1.0),
        f"ack_p99_ms_without_the_first_{_FIRST_SECONDS:.0f}_seconds": _milliseconds(sent.late, 0.99),
    }


def _milliseconds(values: Sequence[float], part: float) -> float | None:
    return round(_quantile(values, part) * 1000, 1) if values else None


def _quantile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("inf")


if __name__ == "__main__":
    sys.exit(main())
