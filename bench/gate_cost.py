"""What a connection's gate costs a call: ``python -m bench.gate_cost [--seconds 4]``.

Threads enter the gate of one connection and note an answer, without calling anything, as fast as they can: first with
no rate, then with one that nobody reaches, so that each call takes its place in the row that all workers share. Printed
are the calls a second of all threads together and the median time of one. On PostgreSQL:
``python -m tests.with_postgres python -m bench.gate_cost``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.running_hub import running_hub


def main() -> int:
    """Measure in a process with a database of its own and print its lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="how long each line is measured")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_hub(Path(folder), LOG_LEVEL="ERROR", DJANGO_SETTINGS_MODULE="bench.settings") as hub,
    ):
        print(hub.python(f"from bench import gate_cost\ngate_cost.measure({options.seconds})").strip())
    return 0


def measure(seconds: float) -> None:
    """Print a line for each rate and number of threads; runs inside a hub."""
    from integrations.models import Connection

    for rate in (None, 100_000.0):
        for threads in (1, 4):
            row = Connection.objects.create(
                name=f"rate-{bool(rate)}-{threads}", base_url="https://api.example.com", rate_per_second=rate
            )
            taken = _in_threads(row.pk, threads, seconds)
            each = statistics.median(taken) * 1000
            what = "a rate" if rate else "no rate"
            print(f"{what}, {threads} threads: {len(taken) / seconds:.0f} calls/s, {each:.2f} ms")


def _in_threads(pk: object, count: int, seconds: float) -> list[float]:
    from django.db import connection

    from integrations.calling.gate import SharedGate
    from integrations.models import Connection

    taken: list[float] = []
    until = time.monotonic() + seconds

    def work() -> None:
        gate = SharedGate(Connection.objects.get(pk=pk))
        while (began := time.monotonic()) < until:
            gate.enter()
            gate.answered(200, told=None, wait=None)
            taken.append(time.monotonic() - began)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


if __name__ == "__main__":
    sys.exit(main())
