"""The file that keeps runs: each of a part of the cases, with limits of its own, as ratios hold within a run only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from bench import report
from bench.receive.table import table

_RUNS = "runs"


def with_run(name: str, run: dict[str, Any]) -> dict[str, Any]:
    """Return what the file ``name`` keeps, and ``run`` as the last of it."""
    return {_RUNS: [*runs(name), run]}


def runs(name: str) -> list[dict[str, Any]]:
    """Return the runs that the file ``name`` keeps; none where there is no such file."""
    path = report.RESULTS / f"{name}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())[_RUNS] if path.exists() else []
    return found


def lines(name: str) -> Iterator[str]:
    """Yield the tables of all runs that the file keeps."""
    for run in runs(name):
        yield f"{run['measured_at']}, load before {run['facts']['load_before'][0]:.1f}"
        for database, figures in run["figures"].items():
            yield from table(database, figures)


if __name__ == "__main__":
    print(*lines(sys.argv[1]), sep="\n")
