"""What traces cost: where nobody collects, and where somebody does: ``python -m bench.tracing_cost``.

The collector is an address where nobody answers, so that what is measured is what the hub's own threads pay: processor
time of the thread that works, with and without in turns, which other work on the machine does not spoil.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import uuid

from integrations import tracing

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
WORK = tracing.Work(TRACEPARENT, uuid.uuid4(), uuid.uuid4(), 2)
ENDED = tracing.Ended("test", "succeeded", "", 1, 2, {"hub.delivery": "d", "hub.attempt": 2})
ROUNDS, TURNS = 2_000, 9


def one_delivery() -> None:
    """Do what is done for one request and one attempt of it."""
    with tracing.receipt(TRACEPARENT) as span:
        span.note(hub__event="e", hub__deliveries=1)
        tracing.traceparent()
    with tracing.within(WORK):
        pass
    if tracing.is_on():
        tracing.ended(WORK, ENDED)


def microseconds() -> float:
    """Return the processor time of one delivery."""
    began = time.thread_time()
    for _ in range(ROUNDS):
        one_delivery()
    return (time.thread_time() - began) / ROUNDS * 1e6


def import_seconds(module: str, after: str) -> float:
    """Return the processor time of importing ``module`` after ``after`` in a fresh process; the best of five."""
    code = f"import {after}, time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(5)]  # noqa: S603
    return min(float(run.stdout) for run in runs)


def main() -> None:
    """Print the numbers."""
    there = "contextlib, dataclasses, typing, uuid"  # as in every process of the hub
    print(f"import of the seam, ms: {import_seconds('integrations.tracing', there) * 1000:.2f}")
    print(f"import of OpenTelemetry, ms: {import_seconds('integrations.tracing.otlp', 'httpx, requests') * 1000:.0f}")
    print(f"import of Sentry's client, ms: {import_seconds('sentry_sdk', 'urllib3, certifi') * 1000:.0f}")
    from integrations.tracing.otlp import OtlpTracer

    logging.disable()
    tracer = OtlpTracer("http://127.0.0.1:9", headers={}, service="hub", version="1")
    off, on = [], []
    for _ in range(TURNS):
        off.append(microseconds())
        with tracing.collected_by(tracer):
            on.append(microseconds())
    tracer.close(0.1)
    print(f"a request and an attempt where nobody collects, us: {min(off):.2f}")
    print(f"the same where somebody does, us: {min(on):.1f}")


if __name__ == "__main__":
    main()
