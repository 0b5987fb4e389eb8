"""How fast, and how surely, the hub says yes: ``python -m bench.receive`` (`make bench-receive`).

Signed GitHub pushes through the real web server, each a new event, with workers running, and everything started from
scratch on PostgreSQL and on SQLite. Beside it, in the same run, what this machine can do at best, and the same work
with FastAPI, Celery and Redis. Other work on the machine makes the figures noisy: only ratios within one run count.
A file therefore keeps several runs, each of a part of the cases and with limits of its own. Ends with 1 as soon as
something that was accepted is not stored, or not handled and recorded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.receive import limits, load, results, rival
from bench.receive.cases import CASES, CONNECTIONS, KILOBYTE, Case
from bench.receive.measure import Books, Measuring, Options
from bench.receive.table import ratios, table, with_ratios
from tests.own_postgres import OwnPostgres, own_postgres
from tests.running_hub import ROOT, RunningHub, running_hub

_MOST_CLIENTS = 64


def main() -> int:
    """Measure, print the tables, and write them down if that was asked for."""
    options = _options()
    load.require_wrk()
    facts = report.facts()
    figures: dict[str, Any] = {}
    for database in options.database:
        with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
            figures[database] = _measure(database, Path(folder), options)
        print(*table(database, figures[database]), sep="\n", flush=True)
    if options.save:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        asked = {name: value for name, value in vars(options).items() if name not in {"save", "profile"}}
        found = {"facts": facts, "figures": figures, "measured_at": when, "options": asked}
        print(f"saved: {report.save(results.with_run(options.save, found), options.save).relative_to(ROOT)}")
    return 0


def _measure(database: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    with (
        _server(database) as server,
        running_hub(
            folder,
            database_url=f"sqlite:///{folder / 'hub.sqlite3'}" if server is None else server.create("hub"),
            DJANGO_SETTINGS_MODULE="bench.settings",
            LOG_LEVEL=options.log_level,
            # How much is taken in is measured, not how well the hub refuses what is too much for it.
            HUB_SHED_WAIT_MILLISECONDS="0",
            HUB_OWN_CORES="true" if options.cores == "own" else "false",
        ) as hub,
    ):
        found = _limits(server, hub, folder, options)
        if options.grow:
            Books(hub).grow(options.grow)
        hub.start()
        measuring = Measuring(hub, folder, _measuring_options(options))
        cases: dict[str, Any] = {}
        for case in (case for case in CASES if case.name in options.cases):
            for connections in options.connections:
                figures = measuring.measure(case, connections)
                cases[case.slug(connections)] = _beside(figures, found, case=case, connections=connections)
                print(f"  {database} {case.slug(connections)}: {figures['per_second']:,.0f}/s", file=sys.stderr)
        hub.kill_everything()
        cases |= _rivals(folder, found, options) if database == "postgres" else {}
        return {"limits": found, "cases": cases, "ratios": ratios(cases, found)}


def _rivals(folder: Path, found: dict[str, dict[str, float]], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of FastAPI with Celery and Redis, where they were asked for."""
    cases: dict[str, Any] = {}
    for fsync in options.rival if rival.CONNECTIONS in options.connections else ():
        figures = rival.measure(folder, fsync=fsync, seconds=options.seconds, most=options.most)
        hello = found[_hello_name(rival.CONNECTIONS)]
        cases[f"celery-{fsync}-{rival.CONNECTIONS}"] = with_ratios(figures, commits={}, hello=hello)
    return cases


def _limits(
    server: OwnPostgres | None, hub: RunningHub, folder: Path, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Return what the machine can do at best, by name, with each number of connections and size of body."""
    found: dict[str, dict[str, float]] = {}
    sizes = sorted({case.body_bytes for case in CASES if case.name in options.cases})
    for size in sizes:
        if server is None:
            commits = limits.sqlite_commits(folder, size=size, seconds=options.seconds)
            found[_commits_name(None, size)] = asdict(commits)
            continue
        for clients in sorted(set(map(_clients, options.connections))):
            commits = limits.postgres_commits(server, folder, clients=clients, size=size, seconds=options.seconds)
            found[_commits_name(clients, size)] = asdict(commits)
    requests = folder / "hello.requests"
    load.prepare(requests, slug="hello", count=1000, size=KILOBYTE)
    with limits.hello_server(hub) as url:
        for connections in options.connections:
            said = load.send(url, requests, connections=connections, seconds=options.seconds, again=True)
            figures = {"per_second": said.per_second, "p50_ms": said.p50_ms, "p99_ms": said.p99_ms}
            found[_hello_name(connections)] = figures
    return found


def _beside(
    figures: dict[str, float], found: dict[str, dict[str, float]], *, case: Case, connections: int
) -> dict[str, Any]:
    commits = {} if not case.stores else found.get(_commits_name(_clients(connections), case.body_bytes))
    if commits is None:
        commits = found[_commits_name(None, case.body_bytes)]
    return with_ratios(figures, commits=commits, hello=found[_hello_name(connections)])


def _clients(connections: int) -> int:
    """Return how many clients of the database stand beside so many connections; PostgreSQL takes a hundred."""
    return min(connections, _MOST_CLIENTS)


def _commits_name(clients: int | None, size: int) -> str:
    """Return how the limit is called; SQLite has one writer, so None stands for any number of clients."""
    of = "one writer" if clients is None else f"{clients} client{'s' if clients > 1 else ''}"
    return f"commits, {of}, {size // KILOBYTE} KB"


def _hello_name(connections: int) -> str:
    return f"hello, {connections} connection{'s' if connections > 1 else ''}"


@contextmanager
def _server(database: str) -> Iterator[OwnPostgres | None]:
    """Yield a PostgreSQL of its own; None for SQLite."""
    if database == "sqlite":
        yield None
        return
    with own_postgres() as server:
        yield server


def _measuring_options(options: argparse.Namespace) -> Options:
    return Options(
        seconds=options.seconds,
        most=options.most,
        settle_seconds=options.settle_seconds,
        profiles=Path(options.profile) if options.profile else None,
    )


def _options() -> argparse.Namespace:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m bench.receive", description=__doc__)
    parser.add_argument("--database", nargs="+", choices=["postgres", "sqlite"], default=["postgres", "sqlite"])
    parser.add_argument("--cases", nargs="+", choices=names, default=names, help="what to measure (all)")
    parser.add_argument("--connections", nargs="+", type=int, default=list(CONNECTIONS), help="(1 8 32 128)")
    parser.add_argument("--seconds", type=float, default=10, help="how long each is measured (10)")
    parser.add_argument("--most", type=int, default=4000, help="answers a second that requests are prepared for (4000)")
    parser.add_argument("--settle-seconds", type=float, default=180, help="how long handling may take after it (180)")
    parser.add_argument("--grow", type=int, default=0, metavar="N", help="fill N stored events first")
    parser.add_argument(
        "--rival",
        nargs="*",
        choices=rival.FSYNCS,
        default=rival.FSYNCS if rival.is_there() else (),
        help="how Redis syncs beneath FastAPI and Celery (always everysec, where they are there; nothing for none)",
    )
    parser.add_argument("--log-level", default="INFO", help="the hub's LOG_LEVEL (INFO, its default)")
    parser.add_argument("--cores", choices=("own", "any"), default="own", help="HUB_OWN_CORES (own, the default)")
    parser.add_argument("--profile", metavar="FOLDER", help="keep py-spy's folded stacks of each run there")
    parser.add_argument("--save", metavar="NAME", help="add this run to bench/results/NAME.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
