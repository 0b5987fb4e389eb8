"""The measurements on one database: run by `bench.engine` with the hub's settings; prints JSON.

Each figure is taken from what the hub itself has recorded (attempts, their times), not from how often it was looked at.
"""

from __future__ import annotations

import http.client
import json
import random
import statistics
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import django
import psutil

django.setup()

from django.db.models import F, Max  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench import rows  # noqa: E402
from bench.slow_server import slow_server  # noqa: E402
from deliveries.models import Attempt, Delivery  # noqa: E402
from deliveries.models.states import UNFINISHED  # noqa: E402
from integrations.models import Endpoint, Route  # noqa: E402

_PATIENCE_SECONDS = 180
_SENDERS = 8
_SETTLE_SECONDS = 2.5


class Measurements:
    """One running hub, whose supervisor is process ``pid``, measured in turn."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._rng = random.Random(1)  # noqa: S311 - pauses

    def run(self) -> dict[str, Any]:
        """Take all measurements, and return them by name."""
        figures: dict[str, Any] = {}
        with slow_server() as url:
            for measure in (
                self._trivial,
                lambda: self._short(url),
                lambda: self._one_second_handlers(url),
                self._latency,
                lambda: self._bulk_beside_live(url),
                self._saturation,
                self._waiting,
            ):
                found = measure()
                print(*(f"  {name}: {value:.4g}" for name, value in found.items()), sep="\n", file=sys.stderr)
                figures.update(found)
        return figures

    def _trivial(self) -> dict[str, float]:
        return {"trivial_per_second": self._best_rate()}

    def _short(self, url: str) -> dict[str, float]:
        route = rows.make_route("bench.wait", config={"url": f"{url}/20"})
        return {"io_20ms_per_second": self._rate(route, self._options["deliveries"] // 5)}

    def _best_rate(self) -> float:
        return max(self._rate(rows.make_route("bench.trivial"), self._options["deliveries"]) for _ in range(2))

    def _rate(self, route: Route, count: int) -> float:
        committed = rows.queue(route, count)
        self._wait_for(route)
        return count / (_last_end(route) - committed)

    def _one_second_handlers(self, url: str) -> dict[str, float]:
        route = rows.make_route("bench.wait", config={"url": f"{url}/1000"})
        with Memory(self._options["pid"]) as memory:
            committed = rows.queue(route, 400)
            self._wait_for(route)
        return {"io_1s_400_seconds": _last_end(route) - committed, "memory_pss_mb": memory.most_mb}

    def _latency(self) -> dict[str, float]:
        time.sleep(_SETTLE_SECONDS)
        latencies = self._singles(self._options["latency_samples"], pause=(0.2, 0.6))
        return {"pickup_p50_ms": _percentile(latencies, 50), "pickup_p99_ms": _percentile(latencies, 99)}

    def _singles(self, count: int, *, pause: tuple[float, float]) -> list[float]:
        """Return the milliseconds from commit to handler of ``count`` deliveries, one after the other."""
        route = rows.make_route("bench.stamp")
        committed = []
        for _ in range(count):
            committed.append(rows.queue(route, 1))
            time.sleep(self._rng.uniform(*pause))
        self._wait_for(route)
        logs = Attempt.objects.filter(delivery__route=route).order_by("delivery__due_at").values_list("log", flat=True)
        started = [log[0]["fields"]["at"] for log in logs]
        return [1000 * (start - commit) for start, commit in zip(sorted(started), committed, strict=True)]

    def _bulk_beside_live(self, url: str) -> dict[str, float]:
        """Compare the latency of live deliveries without and with a bulk replay beside them, in turns."""
        replayed = rows.make_route("bench.wait", config={"url": f"{url}/20"})
        rows.queue(replayed, self._options["deliveries"] // 2)
        self._wait_for(replayed)
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(3):
            alone += self._singles(40, pause=(0.02, 0.08))
            Delivery.objects.filter(route=replayed).replay(now=timezone.now(), requested_by="bench", bulk=True)
            beside += self._singles(40, pause=(0.02, 0.08))
            if not Delivery.objects.filter(route=replayed, status__in=UNFINISHED).exists():
                print("the replay was over before the live traffic", file=sys.stderr)
            self._wait_for(replayed)
        return {
            "live_alone_p50_ms": statistics.median(alone),
            "live_beside_bulk_p50_ms": statistics.median(beside),
            "live_beside_bulk_ratio": statistics.median(beside) / statistics.median(alone),
        }

    def _saturation(self) -> dict[str, float]:
        """Send to the web server as fast as it answers, and return how late handlers started."""
        endpoint = Endpoint.objects.create(slug="saturated", provider="generic_none")
        route = Route.objects.create(endpoint=endpoint, name="saturated", handler="bench.trivial")
        until = time.monotonic() + self._options["saturation_seconds"]
        sent = [0] * _SENDERS
        senders = [threading.Thread(target=self._send, args=(sent, place, until)) for place in range(_SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        done = Delivery.objects.filter(route=route, status="succeeded").count()
        self._wait_for(route)
        attempts = Attempt.objects.filter(delivery__route=route, number=1)
        lags = [
            1000 * lag.total_seconds()
            for lag in attempts.annotate(lag=F("started_at") - F("delivery__due_at")).values_list("lag", flat=True)
        ]
        return {
            "saturation_requests_per_second": sum(sent) / self._options["saturation_seconds"],
            "saturation_done_part": done / max(1, sum(sent)),
            "saturation_lag_p50_ms": _percentile(lags, 50),
            "saturation_lag_p99_ms": _percentile(lags, 99),
        }

    def _send(self, sent: list[int], place: int, until: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._options["port"], timeout=20)
        while time.monotonic() < until:
            with suppress(OSError, http.client.HTTPException):
                body = json.dumps({"sender": place, "number": sent[place]})
                connection.request("POST", "/hooks/saturated", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                sent[place] += answer.status == 200
        connection.close()

    def _waiting(self) -> dict[str, float]:
        """Compare the rate without and with many that wait, in turns where nothing else changes."""
        before = self._best_rate()
        rows.add_waiting(rows.make_route("bench.trivial"), self._options["waiting"])
        after = self._best_rate()
        return {"rate_before_waiting": before, "rate_with_waiting": after, "waiting_ratio": after / before}

    def _wait_for(self, route: Route) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        unfinished = Delivery.objects.filter(route=route, status__in=UNFINISHED)
        while unfinished.exists():
            if time.monotonic() > until:
                raise SystemExit(f"{unfinished.count()} deliveries to {route.handler} are not done")
            time.sleep(0.1)


class Memory:
    """The most memory that the hub's processes had together, each shared page counted once (PSS)."""

    def __init__(self, pid: int) -> None:
        self.most_mb = 0.0
        self._supervisor = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            total = 0
            for process in [self._supervisor, *self._supervisor.children(recursive=True)]:
                with suppress(psutil.Error):
                    total += process.memory_full_info().pss
            self.most_mb = max(self.most_mb, total / 1e6)


def _last_end(route: Route) -> float:
    last = Attempt.objects.filter(delivery__route=route).aggregate(last=Max("finished_at"))["last"]
    return float(last.timestamp())


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    print(json.dumps(Measurements(json.loads(sys.argv[1])).run()))
