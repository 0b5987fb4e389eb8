"""One hub on one small machine: how many events a second it keeps up with, and what each of them costs."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.receive import costs, load
from bench.receive.cases import KILOBYTE
from bench.receive.measure import Books
from bench.sizing.paced import Paced, Sending
from tests.own_postgres import OwnPostgres
from tests.running_hub import RunningHub, wait_until

_CONNECTIONS = 16
#: Parts of what it handles when flooded that are tried, the largest first.
_PARTS = (0.9, 0.75, 0.6, 0.45)
#: It keeps up if so much work, in seconds of the load, is left when the load ends.
_LEFT_SECONDS = 1.0
_MOST_ACK_MS = 1000.0
_SETTLE_SECONDS = 60.0
_MOST_PER_SECOND = 900


@dataclass(frozen=True)
class Place:
    """The running hub, its database server (None for SQLite), the database's address and a folder for requests."""

    hub: RunningHub
    server: OwnPostgres | None
    url: str
    folder: Path


class Measuring:
    """Floods the hub first, then looks for the rate that it keeps up with."""

    def __init__(self, place: Place, *, seconds: float) -> None:
        self._place = place
        self._books = Books(place.hub)
        self._seconds = seconds

    def run(self) -> dict[str, Any]:
        """Return the figures by name."""
        self._flood("warm", 3)
        before, wal, cpu = self._size(), self._wal(), self._cpu()
        of_the_database = costs.cpu_seconds(self._of_the_database())
        flooded = self._flood("flooded", self._seconds)
        kept = self._keep_up(flooded["handled_per_second"])
        events = sum(self._books("counts", slug)["events"] for slug in ("flooded", *self._tried))
        cpu = self._cpu() - cpu
        of_the_database = costs.cpu_seconds(self._of_the_database()) - of_the_database
        pss = {"hub": costs.pss_mb(self._place.hub.processes()), "database": costs.pss_mb(self._of_the_database())}
        time.sleep(2)  # counts are written within a second
        return {
            "flooded": flooded,
            "kept_up": kept,
            "events": events,
            "cpu_ms_per_event": 1000 * cpu / events,
            "database_cpu_ms_per_event": 1000 * of_the_database / events,
            "pss_mb": pss,
            "bytes_per_event": {"database": (self._size() - before) / events, "wal": (self._wal() - wal) / events},
        }

    def _flood(self, slug: str, seconds: float) -> dict[str, float]:
        requests = self._prepared(slug, int(seconds * _MOST_PER_SECOND))
        begun = time.time()
        sent = load.send(self._place.hub.url, requests, connections=_CONNECTIONS, seconds=seconds)
        self._settle(slug)
        lags = self._books("lags", slug)
        counts = self._books("counts", slug)
        return {
            "accepted_per_second": sent.per_second,
            "ack_p50_ms": sent.p50_ms,
            "ack_p99_ms": sent.p99_ms,
            "handled_per_second": counts["events"] / (lags["last_end"] - begun),
            "lag_p99_ms": lags["lag_p99_ms"],
        }

    def _keep_up(self, most: float) -> dict[str, float]:
        """Return the figures of the highest rate at which nothing is left behind."""
        self._tried: list[str] = []
        for part in _PARTS:
            slug = f"paced-{round(100 * part)}"
            self._tried.append(slug)
            paced, left = self._pace(slug, most * part)
            lags = self._books("lags", slug)
            takes_all = paced.accepted == len(paced.ms)
            if takes_all and left <= paced.per_second * _LEFT_SECONDS and paced.percentile(99) <= _MOST_ACK_MS:
                return {
                    "per_second": paced.per_second,
                    "ack_p50_ms": paced.percentile(50),
                    "ack_p99_ms": paced.percentile(99),
                    "lag_p50_ms": lags["lag_p50_ms"],
                    "lag_p99_ms": lags["lag_p99_ms"],
                    "left": left,
                }
        raise SystemExit(f"it does not keep up with {_PARTS[-1]:.0%} of what it handles when flooded")

    def _pace(self, slug: str, per_second: float) -> tuple[Paced, int]:
        """Send at a steady rate; return what came of it and how many deliveries were not done when it ended."""
        requests = self._prepared(slug, int(per_second * self._seconds) + 1)
        port = self._place.hub.port
        paced = Sending(port, requests, per_second=per_second, seconds=self._seconds).run()
        states = self._books("counts", slug)["states"]
        left = sum(states.values()) - states.get("succeeded", 0)
        self._settle(slug)
        if (stored := self._books("counts", slug)["events"]) != paced.accepted:
            raise SystemExit(f"{slug}: {stored} are stored, and the answers were {dict(paced.statuses)}")
        if paced.accepted != len(paced.ms):
            print(f"{slug}, {paced.per_second:.0f}/s: {dict(paced.statuses)}", file=sys.stderr)
        return paced, left

    def _prepared(self, slug: str, count: int) -> Path:
        self._books("open_endpoint", slug, 1, False)
        path = self._place.folder / f"{slug}.requests"
        load.prepare(path, slug=slug, count=count, size=KILOBYTE)
        time.sleep(1.5)  # the endpoint is known to every process from then on
        return path

    def _settle(self, slug: str) -> None:
        def is_done() -> bool:
            return set(self._books("counts", slug)["states"]) <= {"succeeded"}

        wait_until(is_done, seconds=_SETTLE_SECONDS, what=f"{slug}: the end of all deliveries")

    def _size(self) -> int:
        """Return the bytes of the database on the disk, all that was written taken over into it."""
        if self._place.server is None:
            file = self._place.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(file, timeout=20)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                (pages,) = connection.execute("PRAGMA page_count").fetchone()
                (free,) = connection.execute("PRAGMA freelist_count").fetchone()
                (size,) = connection.execute("PRAGMA page_size").fetchone()
            return int((pages - free) * size)
        return int(self._ask("SELECT pg_database_size(current_database())"))

    def _wal(self) -> int:
        if self._place.server is None:
            return 0
        return int(self._ask("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))

    def _ask(self, statement: str) -> Any:
        with psycopg.connect(self._place.url) as connection:
            (value,) = connection.execute(statement).fetchone()  # type: ignore[call-overload]
        return value

    def _cpu(self) -> float:
        return costs.cpu_seconds([*self._place.hub.processes(), *self._of_the_database()])

    def _of_the_database(self) -> list[psutil.Process]:
        return [] if self._place.server is None else costs.tree(self._place.server.pid)
