"""What counting statistics costs: ``python -m bench.stats_cost [--seconds 20] [--limit 1.02]``.

One process receives signed requests, one after the other, and drains deliveries of the handler `log`; in every second
window of half a second (every second drain) nothing is counted. Printed are the means of both, of the processor's time
(other work on the machine is not in it, and waiting for the disk neither), and their ratios; it fails over ``--limit``.
On PostgreSQL: ``python -m tests.with_postgres python -m bench.stats_cost``.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.running_hub import running_hub

_WINDOW_SECONDS = 0.5
_SECRET = "correct horse battery staple"  # noqa: S105 - of an endpoint that lasts a minute
_DELIVERIES = 1000


def main() -> int:
    """Measure in a process with a database of its own, print its lines, and return 1 if a ratio is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long to receive, and how long to drain")
    parser.add_argument("--limit", type=float, default=1.02, help="the highest ratio that passes")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_hub(Path(folder), LOG_LEVEL="ERROR", DJANGO_SETTINGS_MODULE="bench.settings") as hub,
    ):
        said = hub.python(f"from bench import stats_cost\nstats_cost.measure({options.seconds})")
    print(said.strip())
    return int(any(float(line.rsplit(" ", 1)[1]) > options.limit for line in said.strip().splitlines()))


def measure(seconds: float) -> None:
    """Print a line for receiving and one for draining, each with its ratio at the end; runs inside a hub."""
    _say("accepting, ms each", *_both(_receiver(), seconds))
    _say("draining, ms each", *_both(_drainer(), seconds, at_least=1))


def _say(what: str, counted: list[float], plain: list[float]) -> None:
    a, b = statistics.fmean(counted) * 1000, statistics.fmean(plain) * 1000
    print(f"{what}: counted {a:.3f}, not counted {b:.3f} ({len(counted)} and {len(plain)} times): ratio {a / b:.3f}")


def _both(once: Callable[[], float], seconds: float, *, at_least: int = 0) -> tuple[list[float], list[float]]:
    """Return how long ``once`` says that it took, in windows with counting and in those without."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    once()
    began = time.monotonic()
    for window in itertools.count():
        if time.monotonic() - began > seconds:
            return taken[True], taken[False]
        with _counting(on=window % 2 == 0):
            until, done = time.monotonic() + _WINDOW_SECONDS, 0
            while done < at_least or (not at_least and time.monotonic() < until):
                taken[window % 2 == 0].append(once())
                done += 1
    raise AssertionError("never reached")


@contextmanager
def _counting(*, on: bool) -> Iterator[None]:
    """Let nothing be counted in the block unless ``on``."""
    from deliveries.stats.counting import Counting, counting

    if on:
        yield
        return
    counting.flush()
    nothing = lambda *args, **kwargs: None  # noqa: E731, ARG005
    names = ("add", "time", "flush", "flush_if_due")
    kept = {name: getattr(Counting, name) for name in names}
    for name in names:
        setattr(Counting, name, nothing)
    try:
        yield
    finally:
        for name, method in kept.items():
            setattr(Counting, name, method)


def _receiver() -> Callable[[], float]:
    from django.test import Client

    from deliveries.stats import writing
    from tests.factories import make_endpoint, make_route

    make_route(make_endpoint(slug="here", provider="generic_hmac", secret=_SECRET))
    writing.start()
    client, numbers = Client(), itertools.count()

    def once() -> float:
        body = b"[%d]" % next(numbers)
        signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
        began = time.process_time()
        answer = client.post(
            "/hooks/here", body, "application/json", headers={"X-Signature": signature, "Host": "127.0.0.1"}
        )
        if answer.status_code != 200:
            raise SystemExit(f"refused: {answer.content!r}")
        return time.process_time() - began

    return once


def _drainer() -> Callable[[], float]:
    from bench.rows import make_route, queue
    from deliveries.execution.drain import Drain
    from deliveries.execution.pulse import Pulse
    from deliveries.execution.threads import HandlerThreads
    from deliveries.models import Delivery

    Delivery.objects.filter(status="pending").update(status="held")
    route, pulse, threads = make_route("log"), Pulse(), HandlerThreads(32)

    def once() -> float:
        queue(route, _DELIVERIES)
        began = time.process_time()
        Drain(pulse, threads).run()
        return (time.process_time() - began) / _DELIVERIES

    return once


if __name__ == "__main__":
    sys.exit(main())
