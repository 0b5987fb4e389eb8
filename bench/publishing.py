"""What a message to a broker costs: ``python -m bench.publishing [--save NAME]``.

The clients of ``queue.publish``, without the hub's database: messages of 1 KiB to a redis-server and to the mock
cluster of librdkafka, on loopback, by one thread and by four. Printed are messages a second and the median time of one.
The brokers share the machine, and none of them writes to a disk: this says what the hub's side costs, and not what a
broker can take. SQS is not among them, as moto's server in its place is slower than what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import django

_RESULTS = Path(__file__).parent / "results"
_BODY = b"x" * 1024
_SECONDS = 4.0
_numbers = count()


def _measured(send: Callable[[str], Any], *, threads: int) -> dict[str, float]:
    took: list[float] = []
    ends_at = time.monotonic() + _SECONDS

    def go_on(_: int) -> None:
        while time.monotonic() < ends_at:
            began = time.monotonic()
            send(f"m-{next(_numbers)}")
            took.append(time.monotonic() - began)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(go_on, range(threads)))
    return {"per_second": round(len(took) / _SECONDS), "median_ms": round(statistics.median(took) * 1000, 1)}


def _rows() -> dict[str, dict[str, Any]]:
    from integrations.connectors import kafka, redis_stream
    from integrations.connectors.spec import ConnectionSpec
    from tests.integrations.connectors.brokers import LOOPBACK, Kafka, redis_server

    def spec(url: str, kind: str) -> ConnectionSpec:
        return ConnectionSpec("bench", url, kind=kind, allow=LOOPBACK)

    def measured(send: Callable[[str], Any]) -> dict[str, Any]:
        send("first")
        return {f"{threads}_threads": _measured(send, threads=threads) for threads in (1, 4)}

    headers: Mapping[str, str] = {"hub-event-id": "evt_1"}
    rows: dict[str, dict[str, Any]] = {}
    with redis_server() as server:
        stream = spec(server.url, "redis")
        rows["redis"] = measured(
            lambda key: redis_stream.add_once(stream, "bench", {"body": _BODY}, key=key, longest=1000, seconds=5)
        )
        cluster = Kafka()
        topic = spec(cluster.url, "kafka")
        rows["kafka"] = measured(lambda key: kafka.produce(topic, "bench", _BODY, key=key, headers=headers, seconds=5))
    return rows


def main() -> None:
    """Measure, print, and save if a name is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", metavar="NAME")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    rows = _rows()
    for broker, row in rows.items():
        print(broker, json.dumps(row))
    if options.save:
        (_RESULTS / f"{options.save}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
