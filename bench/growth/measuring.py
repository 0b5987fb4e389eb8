"""What an event leaves behind in PostgreSQL, and what it costs, while the tables grow around it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg

from bench.receive import limits, load
from bench.receive.measure import Books
from bench.sizing.paced import Sending
from tests.own_postgres import own_postgres
from tests.running_hub import RunningHub, running_hub, wait_until

_BODY_BYTES = 1024
TABLES = ("deliveries_event", "deliveries_delivery", "deliveries_attempt")
_PER_SECOND = 25.0
_SECONDS = 8.0
_REMOVED = 10_000
_PRUNE = """
import json, time
from django.utils import timezone
from deliveries.retention.sweep import prune_events
began = time.monotonic()
prune_events(now=timezone.now(), pause=lambda seconds: None)
print(json.dumps(time.monotonic() - began))
"""
#: Of a copied row what is different in each: ids in the order of time, what comes from outside at random.
_EVENT = {
    "id": "uuidv7()",
    "event_id": "gen_random_uuid()::text",
    "dedupe_key": "'id:' || gen_random_uuid()",
    "body_sha256": "sha256(gen_random_uuid()::text::bytea)",
    "request_id": "replace(gen_random_uuid()::text, '-', '')",
    "received_at": "clock_timestamp()",
}
_DELIVERY = {"id": "uuidv7()", "event_id": "c.id", "created_at": "c.received_at", "due_at": "c.received_at"}


def measure(folder: Path, sizes: list[int]) -> dict[str, Any]:
    """Return the figures of a hub whose history grows to each of ``sizes`` events in turn."""
    with (
        own_postgres() as server,
        running_hub(
            folder, database_url=server.create("hub"), DJANGO_SETTINGS_MODULE="bench.settings", HUB_OWN_CORES="true"
        ) as hub,
    ):
        commits = {
            str(clients): limits.postgres_commits(server, folder, clients=clients, size=1024, seconds=4).per_second
            for clients in (1, 8, 32)
        }
        hub.start()
        growing = Growing(hub, folder)
        return {"commits_per_second": commits, **growing.run(sizes)}


class Growing:
    """One hub and its tables."""

    def __init__(self, hub: RunningHub, folder: Path) -> None:
        self._hub, self._folder = hub, folder
        self._books = Books(hub)
        self._url = hub.environment["DATABASE_URL"]

    def run(self, sizes: list[int]) -> dict[str, Any]:
        """Measure at each size, and at the end how fast old events go."""
        self._send("first")
        stages = []
        for size in sizes:
            self._grow(size)
            stages.append({"events": size, **self._stage(f"at-{size}")})
        self._hub.stop()
        return {"body_bytes": _BODY_BYTES, "stages": stages, "removed_per_second": self._removed_per_second()}

    def _stage(self, slug: str) -> dict[str, Any]:
        sizes = self._bytes()
        idle = self._transactions_while_idle()
        wal, transactions, began = self._wal(), self._transactions(), time.monotonic()
        sent = self._send(slug)
        seconds = time.monotonic() - began
        return {
            "bytes": sizes,
            "wal_bytes_per_event": (self._wal() - wal) / sent["events"],
            "transactions_per_event": (self._transactions() - transactions - idle * seconds) / sent["events"],
            "ack_p50_ms": sent["ack_p50_ms"],
        }

    def _send(self, slug: str) -> dict[str, Any]:
        """Send events at a slow, steady rate, and wait until all are handled."""
        self._books("open_endpoint", slug, 1, False)
        path = self._folder / f"{slug}.requests"
        load.prepare(path, slug=slug, count=int(_PER_SECOND * _SECONDS), size=_BODY_BYTES)
        time.sleep(1.5)
        sent = Sending(self._hub.port, path, per_second=_PER_SECOND, seconds=_SECONDS).run()

        def is_done() -> bool:
            return set(self._books("counts", slug)["states"]) <= {"succeeded"}

        wait_until(is_done, what=f"{slug}: the end of all deliveries")
        time.sleep(1)  # statistics of the database are a little late
        return {"events": sent.accepted, "ack_p50_ms": sent.percentile(50)}

    def _grow(self, size: int) -> None:
        """Copy one event with its delivery and attempt until there are ``size`` events."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            (had,) = cast("tuple[int]", connection.execute("SELECT COUNT(*) FROM deliveries_event").fetchone())
            _run(connection, "CREATE TEMP TABLE copied (id uuid PRIMARY KEY, received_at timestamptz)")
            columns = _columns(connection, "deliveries_event")
            _run(
                connection,
                f"WITH made AS (INSERT INTO deliveries_event ({_names(columns)}) SELECT {_values(columns, _EVENT)}"
                f" FROM (SELECT * FROM deliveries_event LIMIT 1) b, generate_series(1, {size - had})"
                " RETURNING id, received_at) INSERT INTO copied SELECT * FROM made",
            )
            columns = _columns(connection, "deliveries_delivery")
            _run(
                connection,
                f"INSERT INTO deliveries_delivery ({_names(columns)}) SELECT {_values(columns, _DELIVERY)}"
                " FROM (SELECT * FROM deliveries_delivery LIMIT 1) b, copied c",
            )
            columns = [name for name in _columns(connection, "deliveries_attempt") if name != "id"]
            _run(
                connection,
                f"INSERT INTO deliveries_attempt ({_names(columns)}) SELECT {_values(columns, {'delivery_id': 'd.id'})}"
                " FROM (SELECT * FROM deliveries_attempt LIMIT 1) b, deliveries_delivery d JOIN copied c"
                " ON c.id = d.event_id",
            )
            _run(connection, "VACUUM ANALYZE")

    def _removed_per_second(self) -> float:
        """Return how many events of 500 days ago go in a second, where nothing pauses between the batches."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            _run(connection, f"CREATE TABLE old AS SELECT id FROM deliveries_event LIMIT {_REMOVED}")
            ago = "- interval '500 days'"
            _run(
                connection,
                f"UPDATE deliveries_delivery SET created_at = created_at {ago}, finished_at = finished_at {ago}"
                " WHERE event_id IN (SELECT id FROM old)",
            )
            _run(
                connection,
                f"UPDATE deliveries_event SET received_at = received_at {ago} WHERE id IN (SELECT id FROM old)",
            )
            _run(connection, "UPDATE integrations_endpoint SET keys_kept_since = now() - interval '1 day'")
            seconds = float(json.loads(self._hub.python(_PRUNE)))
            left = connection.execute("SELECT COUNT(*) FROM deliveries_event e JOIN old USING (id)").fetchone()
        if left != (0,):
            raise SystemExit(f"{left} events of 500 days ago are still there")
        return _REMOVED / seconds

    def _bytes(self) -> dict[str, int]:
        """Return the bytes of each table without its indexes, and of each index."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute(
                "SELECT relname, pg_table_size(oid) FROM pg_class WHERE relname = ANY(%(tables)s)"
                " UNION ALL SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index"
                " WHERE indrelid::regclass::text = ANY(%(tables)s)",
                {"tables": list(TABLES)},
            )
            return dict(found.fetchall())

    def _transactions_while_idle(self) -> float:
        """Return the transactions a second of a hub that has nothing to do, those that only read included."""
        before, began = self._transactions(), time.monotonic()
        time.sleep(4)
        return (self._transactions() - before) / (time.monotonic() - began)

    def _transactions(self) -> int:
        return self._number("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")

    def _wal(self) -> int:
        return self._number("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")

    def _number(self, statement: LiteralString) -> int:
        with psycopg.connect(self._url) as connection:
            (value,) = cast("tuple[int]", connection.execute(statement).fetchone())
        return int(value)


def _run(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(cast("LiteralString", statement))


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'", [table]
    )
    return [name for (name,) in found.fetchall()]


def _names(columns: list[str]) -> str:
    return ", ".join(columns)


def _values(columns: list[str], changed: dict[str, str]) -> str:
    return ", ".join(changed.get(name, f"b.{name}") for name in columns)
