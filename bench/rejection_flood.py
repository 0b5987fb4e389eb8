"""How much a flood of bad signatures slows good requests: ``python -m bench.rejection_flood [--rate 100]``.

A web server of the hub with its own settings, over loopback, for ten seconds: one sender of good requests, one after
the other; in every second half second another process sends bad ones, at ``--rate`` a second from ``--sources``
addresses. Printed are the medians of both halves and their ratio; it fails over ``--limit``. On PostgreSQL:
``python -m tests.with_postgres python -m bench.rejection_flood``.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.running_hub import RunningHub, running_hub, web_server

_WINDOW_SECONDS = 0.5
_TOTAL_SECONDS = 10.0
_SECRET = "correct horse battery staple"  # noqa: S105 - of an endpoint that lasts ten seconds


def main() -> int:
    """Measure, print one line, and return 1 if the ratio is over the limit."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, _web_server(Path(folder)) as hub:
        flooding, ended = multiprocessing.Event(), multiprocessing.Event()
        sent = multiprocessing.Value("i", 0)
        flood = multiprocessing.Process(
            target=_flood, args=(hub.port, options.rate, options.sources, flooding, ended, sent), daemon=True
        )
        flood.start()
        try:
            calm, flooded = _measure(hub.port, flooding)
        finally:
            ended.set()
            flood.join(5)
        time.sleep(1.2)  # the counts are written a second later, by whoever comes next
        _post(http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20), b"[-1]", _SECRET)
        stored, counted = hub.python(_COUNT).split()
    ratio = statistics.median(flooded) / statistics.median(calm)
    print(
        f"good alone {statistics.median(calm) * 1000:.2f} ms, in the flood {statistics.median(flooded) * 1000:.2f} ms "
        f"(medians of {len(calm)} and {len(flooded)}): ratio {ratio:.2f}; "
        f"{sent.value} bad ones sent, {counted} counted, {stored} stored"
    )
    return int(ratio > options.limit)


_COUNT = """
from django.db.models import Sum
from deliveries.models import Rejection, RejectionCount
print(Rejection.objects.count(), RejectionCount.objects.aggregate(n=Sum('count'))['n'])
"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=100, help="bad requests a second")
    parser.add_argument("--sources", type=int, default=1, help="addresses that they come from")
    parser.add_argument("--limit", type=float, default=1.2, help="the highest ratio that passes")
    return parser.parse_args()


@contextmanager
def _web_server(folder: Path) -> Iterator[RunningHub]:
    """Yield a web server with an endpoint ``here``; loopback counts as a proxy, so that a flood has many sources."""
    with running_hub(folder, HUB_TRUSTED_PROXIES="127.0.0.0/8", HUB_OWN_CORES="true") as hub:
        make = f"make_endpoint(slug='here', provider='generic_hmac', secret='{_SECRET}')"
        hub.python(f"from tests.factories import make_endpoint\n{make}")
        with web_server(hub, answers=lambda: _answers(hub)):
            yield hub


def _answers(hub: RunningHub) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=5)
    with suppress(OSError):
        return _post(connection, b"[]", _SECRET) == 200
    return False


def _measure(port: int, flooding: Event) -> tuple[list[float], list[float]]:
    """Return the seconds that good requests took, in the calm and in the flooded windows."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    numbers = itertools.count()
    for _ in range(50):
        _post(connection, b"[%d]" % next(numbers), _SECRET)
    taken: dict[bool, list[float]] = {False: [], True: []}
    began = time.monotonic()
    for window in itertools.count():
        if time.monotonic() - began > _TOTAL_SECONDS:
            return taken[False], taken[True]
        flooded = bool(window % 2)
        (flooding.set if flooded else flooding.clear)()
        time.sleep(0.02)  # what the other half left under way ends
        until = time.monotonic() + _WINDOW_SECONDS
        while (at := time.monotonic()) < until:
            if _post(connection, b"[%d]" % next(numbers), _SECRET) != 200:
                raise SystemExit("a good request was refused")
            taken[flooded].append(time.monotonic() - at)
    raise AssertionError("never reached")


def _flood(port: int, rate: float, sources: int, flooding: Event, ended: Event, sent: multiprocessing.Value) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = b'{"type": "flood", "filling": "' + b"x" * 1000 + b'"}'
    for number in itertools.count():
        while not flooding.wait(0.1) and not ended.is_set():
            pass
        if ended.is_set():
            return
        due = time.monotonic() + 1 / rate
        _post(connection, body, "wrong", source=f"198.51.{number % sources // 250}.{number % sources % 250}")
        sent.value += 1
        time.sleep(max(0, due - time.monotonic()))


def _post(connection: http.client.HTTPConnection, body: bytes, secret: str, *, source: str = "192.0.2.1") -> int:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Signature": signature, "Content-Type": "application/json", "X-Forwarded-For": source}
    connection.request("POST", "/hooks/here", body, headers)
    response = connection.getresponse()
    response.read()
    return response.status


if __name__ == "__main__":
    sys.exit(main())
