"""``python -m tests.chaos --rounds 200 --seed 1``: kill processes of a hub under traffic, and check every promise."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.rounds import QUICK, Report, chaos, keep_evidence


def main() -> int:
    """Run, print what was found, and return 1 if that is any broken promise."""
    options = _options()
    databases = ["postgres", "sqlite"] if options.database == "both" else [options.database]
    found = 0
    for database in databases:
        rounds = options.rounds if len(databases) == 1 else (options.rounds + 1) // 2
        report = _run(database, rounds, options)
        print(f"\n{database}, seed {options.seed}, {len(report.rounds)} rounds:")
        print(*(f"  {line}" for line in report.table()), sep="\n")
        print(*(f"  FAULT {fault}" for fault in report.faults), sep="\n", flush=True)
        found += len(report.faults)
    return 1 if found else 0


def _run(database: str, rounds: int, options: argparse.Namespace) -> Report:
    until = time.monotonic() + options.minutes * 60
    settings = {} if options.production else QUICK
    with tempfile.TemporaryDirectory(prefix="hub-chaos-") as name:
        folder = Path(name)
        try:
            with chaos(folder, database=database, seed=options.seed, settings=settings) as run:
                report = run.run(rounds, until=until, tell=lambda line: print(line, flush=True))
        except BaseException:
            keep_evidence(folder, options.keep)
            raise
        if report.faults:
            keep_evidence(folder, options.keep)
    return report


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="kills in all (200)")
    parser.add_argument("--seed", type=int, default=1, help="which parts die, when, and what is sent (1)")
    parser.add_argument("--database", choices=["postgres", "sqlite", "both"], default="both")
    parser.add_argument("--minutes", type=float, default=120, help="no round begins later, on each database (120)")
    parser.add_argument("--production", action="store_true", help="leases and limits as they are by default")
    parser.add_argument("--keep", type=Path, default=Path("var/chaos"), help="where logs go if a fault is found")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
