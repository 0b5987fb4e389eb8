"""What deletion costs receiving: ``python -m bench.retention_cost [--save NAME]``.

A web server of the hub with its own settings, over loopback: one sender of signed requests, one after the other. In
every second window another process removes events by age, with the pauses of ``manage.py prune``: first what is 500
days old as whole rows, then body, headers and attempts of what is 100 days old. Printed are medians and 99th
percentiles of both kinds of windows, and their ratios. On PostgreSQL: ``python -m tests.with_postgres python -m
bench.retention_cost``.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rejection_flood import _SECRET, _post, _web_server
from tests.running_hub import ROOT, RunningHub

_WINDOW_SECONDS = 1.0
_RESULTS = Path(__file__).parent / "results"

_FILL = """
import hashlib
from datetime import timedelta
from django.utils import timezone
from deliveries.models import Attempt, Delivery, Event
from integrations.models import Endpoint
from tests.factories import make_route
here = Endpoint.objects.get()
route = make_route(here)
Endpoint.objects.update(keys_kept_since=timezone.now() - timedelta(days=1))
now = timezone.now()
for begin in range(0, {events}, 1000):
    made = []
    for n in range(begin, begin + 1000):
        at = now - timedelta(days=500 if n % 2 else 100, seconds=-n)
        made.append(Event(endpoint=here, provider="generic_hmac", verdict="verified", event_id=f"old-{{n}}",
            event_type="order.paid", dedupe_key=f"id:old-{{n}}", body_sha256=hashlib.sha256(str(n).encode()).digest(),
            received_at=at, headers={{"Content-Type": "application/json", "X-Filling": "x" * 300}},
            raw_body=b"x" * 4096, body_bytes=4096))
    Event.objects.bulk_create(made)
    rows = Delivery.objects.bulk_create(Delivery(event=e, endpoint=here, route=route, status="succeeded",
        due_at=e.received_at, created_at=e.received_at, finished_at=e.received_at, attempt_count=1) for e in made)
    Attempt.objects.bulk_create(Attempt(delivery=d, number=1, trigger="first", started_at=d.created_at,
        finished_at=d.created_at, outcome="succeeded", log=[{{"message": "done"}}], response={{"status": 200}})
        for d in rows)
"""
_PRUNE = """
import os, time
from collections import Counter
from pathlib import Path
from django.utils import timezone
from deliveries.retention.sweep import prune_events
flag = Path({flag!r})
busy = []
def pause(seconds):
    busy.append(seconds)
    time.sleep(seconds)
    while not flag.exists():
        time.sleep(0.002)
while not flag.exists():
    time.sleep(0.002)
total = prune_events(now=timezone.now(), pause=pause)
print(total["events"] + total["bodies"])
"""


def main() -> int:
    """Measure, print, and keep the figures where ``--save`` says so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="old events to remove")
    parser.add_argument("--seconds", type=float, default=40, help="how long it measures at most")
    parser.add_argument("--save", help="name of the file in bench/results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _web_server(Path(folder)) as hub:
        hub.python(_FILL.format(events=options.events))
        figures = _measure(hub, Path(folder) / "deleting", seconds=options.seconds)
    print(json.dumps(figures, indent=2))
    if options.save:
        (_RESULTS / f"{options.save}.json").write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _measure(hub: RunningHub, flag: Path, *, seconds: float) -> dict[str, float]:
    pruner = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, str(ROOT / "manage.py"), "shell", "-v0", "-c", _PRUNE.format(flag=str(flag))],
        env=hub.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(4)  # its start
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
    numbers = itertools.count()
    taken: dict[bool, list[float]] = {False: [], True: []}
    until_all = time.monotonic() + seconds
    for window in itertools.count():
        deleting = bool(window % 2)
        if time.monotonic() > until_all or pruner.poll() is not None:
            break
        flag.touch() if deleting else flag.unlink(missing_ok=True)
        time.sleep(0.3)  # what the other kind of window left under way ends
        until = time.monotonic() + _WINDOW_SECONDS
        while (at := time.monotonic()) < until and pruner.poll() is None:
            if _post(connection, b"[%d]" % next(numbers), _SECRET) != 200:
                raise SystemExit("a request was refused")
            taken[deleting].append(time.monotonic() - at)
    flag.touch()
    removed = int((pruner.communicate(timeout=120)[0] or "0").split()[-1])
    return {**_figures(taken), "removed": removed}


def _figures(taken: dict[bool, list[float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for deleting, name in ((False, "alone"), (True, "beside")):
        cuts = statistics.quantiles(taken[deleting], n=100)
        found |= {f"{name}_requests": len(taken[deleting]), f"{name}_p50_ms": cuts[49] * 1000}
        found |= {f"{name}_p99_ms": cuts[98] * 1000, f"{name}_most_ms": max(taken[deleting]) * 1000}
    for name in ("p50", "p99"):
        found[f"{name}_ratio"] = found[f"beside_{name}_ms"] / found[f"alone_{name}_ms"]
    return {name: round(value, 2) for name, value in found.items()}


if __name__ == "__main__":
    sys.exit(main())
