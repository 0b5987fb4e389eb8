"""What a small machine carries: ``python -m bench.sizing`` (`make bench-sizing`).

The whole hub, web server, workers and database, runs on so many processors and in so much memory; the sender runs
beside it, on other processors where there are any. Each machine is measured from scratch. ``--save`` puts its figures
beside those of the others, so that machines can be measured one at a time. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.receive import load
from bench.sizing.machine import Group, Machine, outside, starting_inside
from bench.sizing.measuring import Measuring, Place
from bench.sizing.table import MACHINES, beside_zapier, table
from tests.own_postgres import OwnPostgres, own_postgres
from tests.running_hub import ROOT, running_hub


def main() -> int:
    """Measure what was asked for, and print the table of all that has been measured."""
    options = _options()
    load.require_wrk()
    found = _saved()
    for machine in (each for each in MACHINES if each.name in options.machines):
        facts = report.facts()
        with tempfile.TemporaryDirectory(prefix="hub-bench-", ignore_cleanup_errors=True) as folder:
            figures = _measure(machine, Path(folder), seconds=options.seconds)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        found[machine.name] = {"machine": asdict(machine), "facts": facts, "measured_at": when, **figures}
        print(f"{machine.name}: {json.dumps(figures)}", file=sys.stderr)
        if options.save:
            report.save(found, "sizing")
    print(*table(found), "", *beside_zapier(found), sep="\n")
    return 0


def _measure(machine: Machine, folder: Path, *, seconds: float) -> dict[str, Any]:
    # One that ended a moment ago may still have processes that are being buried.
    group = Group.make(f"hub-bench-{os.getpid()}-{MACHINES.index(machine)}", memory_mb=machine.memory_mb)
    with _running(machine, group, folder) as place, outside(machine):
        figures = Measuring(place, seconds=seconds).run()
        limited = {"memory_is_limited_by": "nothing"}
        if group is not None:
            limited = {"memory_is_limited_by": group.kind, "memory_most_mb": group.most_mb, "memory_hits": group.hits}
    if group is not None:
        with suppress(OSError):
            group.path.rmdir()
    return {**figures, **limited, "sender_shares_processors": (os.cpu_count() or 1) <= machine.cores}


@contextmanager
def _running(machine: Machine, group: Group | None, folder: Path) -> Iterator[Place]:
    """Start database and hub on the machine."""
    settings = {"DJANGO_SETTINGS_MODULE": "bench.settings", "HUB_OWN_CORES": "true", **dict(machine.settings)}
    with _server(machine, group) as server:
        url = f"sqlite:///{folder / 'hub.sqlite3'}" if server is None else server.create("hub")
        with running_hub(folder, database_url=url, **settings) as hub:
            with starting_inside(machine, group):
                hub.start()
            yield Place(hub, server, url, folder)


@contextmanager
def _server(machine: Machine, group: Group | None) -> Iterator[OwnPostgres | None]:
    if machine.database == "sqlite":
        yield None
        return
    with own_postgres() as server:
        server.stop()
        with starting_inside(machine, group):
            server.start()
        yield server


def _saved() -> dict[str, Any]:
    path = report.RESULTS / "sizing.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _options() -> argparse.Namespace:
    names = [machine.name for machine in MACHINES]
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description=__doc__)
    parser.add_argument(
        "--machines", nargs="*", choices=names, default=names, help="which to measure (all); none: table"
    )
    parser.add_argument("--seconds", type=float, default=20, help="how long each rate is sent (20)")
    parser.add_argument("--save", action="store_true", help="keep what is measured in bench/results/sizing.json")
    return parser.parse_args()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
