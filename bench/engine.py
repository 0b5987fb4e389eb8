"""How fast the hub runs deliveries, on PostgreSQL and on SQLite: ``python -m bench.engine`` (`make bench-engine`).

Every system is started from scratch with its own defaults on the same machine, one after the other. Other work on the
machine makes the figures noisy; the ratios are taken within one run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import others, report
from tests.own_postgres import own_postgres
from tests.running_hub import ROOT, RunningHub, running_hub


def main() -> int:
    """Measure, print the table, and write it down if that was asked for."""
    options = _options()
    before = report.facts()
    print(f"before: {before}", file=sys.stderr)
    celery = others.celery_per_second(count=options.deliveries)
    figures: dict[str, dict[str, Any]] = {}
    for database in options.database:
        with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder, _servers(database, Path(folder)) as urls:
            figures[database] = _measure(urls, Path(folder), options, celery)
        print(f"{database} measured", file=sys.stderr)
    print(*report.table(figures), sep="\n")
    if options.markdown:
        print("", *report.markdown(figures), sep="\n")
    if options.save:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        found = {"facts": before, "figures": figures, "measured_at": when, "options": _plain(options)}
        print(f"saved: {report.save(found, options.save).relative_to(ROOT)}")
    return 0


def _measure(urls: tuple[str, str], folder: Path, options: argparse.Namespace, celery: float | None) -> dict[str, Any]:
    url, plain_url = urls
    plain = others.plain_q_per_second(plain_url, count=options.plain)
    print(f"  plain django-q2: {plain:.4g}/s, Celery: {celery or 0:.4g}/s", file=sys.stderr)
    with running_hub(
        folder, database_url=url, DJANGO_SETTINGS_MODULE="bench.settings", LOG_LEVEL="ERROR", HUB_OWN_CORES="true"
    ) as hub:
        hub.start()
        found = _measure_hub(hub, options)
    found["plain_q_per_second"] = plain
    found["ratio_plain_q"] = found["trivial_per_second"] / plain
    if celery is not None:
        found["celery_per_second"] = celery
        found["ratio_celery"] = found["trivial_per_second"] / celery
    return found


def _measure_hub(hub: RunningHub, options: argparse.Namespace) -> dict[str, Any]:
    asked = {**_plain(options), "pid": hub.processes()[0].pid, "port": hub.port}
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.measure", json.dumps(asked)],
        cwd=ROOT,
        env=hub.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"not measured; the hub said:\n{hub.output.read_text()[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _servers(database: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the addresses of an empty database for the hub and of one for plain django-q2."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'hub.sqlite3'}", f"sqlite:///{folder / 'plain.sqlite3'}"
        return
    with own_postgres() as server:
        yield server.create("hub"), server.create("plain")


def _plain(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name != "save"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", nargs="+", choices=["postgres", "sqlite"], default=["postgres", "sqlite"])
    parser.add_argument("--deliveries", type=int, default=10_000, help="of a trivial handler (10,000)")
    parser.add_argument("--plain", type=int, default=1000, help="tasks through plain django-q2 (1000)")
    parser.add_argument("--waiting", type=int, default=100_000, help="deliveries that wait (100,000)")
    parser.add_argument("--latency-samples", type=int, default=60, help="single deliveries, idle (60)")
    parser.add_argument("--saturation-seconds", type=float, default=180, help="how long to flood (180)")
    parser.add_argument("--markdown", action="store_true", help="print the table for the documentation, too")
    parser.add_argument("--save", metavar="NAME", help="write bench/results/NAME.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
