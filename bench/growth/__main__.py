"""When each step towards a hundred million events a day is due: ``python -m bench.growth`` (`make bench-growth`).

``--measure`` grows a hub's history on a PostgreSQL of its own and keeps the figures; without it they are read. Then the
growth of traffic is played through day by day with them, and printed is the load at which each limit is met.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.growth import plan
from bench.growth.measuring import measure


def main() -> int:
    """Measure if that was asked for, and print the plan."""
    options = _options()
    path = report.RESULTS / "growth.json"
    if options.measure:
        with tempfile.TemporaryDirectory(prefix="hub-bench-", ignore_cleanup_errors=True) as folder:
            figures = measure(Path(folder), options.events)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        report.save({"facts": report.facts(), "measured_at": when, **figures}, "growth")
    sizing = json.loads((report.RESULTS / "sizing.json").read_text())
    growth = json.loads(path.read_text())
    print(*plan.measured(growth, sizing), "", *plan.pages(growth, sizing), sep="\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure anew, and keep bench/results/growth.json")
    parser.add_argument("--events", nargs="+", type=int, default=[5_000, 20_000], help="(5000 20000)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
