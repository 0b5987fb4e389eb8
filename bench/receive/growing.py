"""Millions of stored events for PostgreSQL, in minutes: the indexes are built once all rows are there."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.receive.cases import HANDLER

_ENDPOINTS = 200
_AT_ONCE = 1_000_000
_TABLES = ("deliveries_event", "deliveries_delivery")
#: Handled a while ago, one each half second; ids in the order of arrival, as those of the hub are.
_EVENTS = """
    INSERT INTO deliveries_event (id, endpoint_id, provider, verdict, flags, event_id, event_type, dedupe_key,
        body_sha256, received_at, request_id, source, duplicates, hops, headers, query_string, sealed, raw_body,
        body_is_encrypted, body_bytes, content_type)
    SELECT lpad(to_hex(n), 32, '0')::uuid, e.id, e.provider, 'verified', '[]', 'evt_' || n, 'push', 'id:evt_' || n,
        sha256(n::text::bytea), now() - ((%(events)s - n) * interval '0.5 s'), md5(n::text), '192.0.2.1', 0, 0,
        '{"X-Github-Event": "push"}', '', '',
        convert_to('{"customer": {"id": "cus_' || n || '"}, "pad": "' || repeat('x', 300) || '"}', 'UTF8'),
        false, 340, 'application/json'
    FROM generate_series(%(first)s, %(last)s) n
    JOIN (
        SELECT *, row_number() OVER (ORDER BY slug) - 1 AS place FROM integrations_endpoint WHERE slug LIKE 'past-%%'
    ) e
        ON e.place = n %% %(endpoints)s
    ORDER BY n
"""
_DELIVERIES = """
    INSERT INTO deliveries_delivery (id, event_id, endpoint_id, route_id, status, due_at, attempt_count, budget_start,
        next_trigger, requested_by, worker, last_error, created_at, finished_at)
    SELECT e.id, e.id, e.endpoint_id, r.id, 'succeeded', e.received_at, 1, 0, 'retry', '', '', '', e.received_at,
        e.received_at + interval '1 s'
    FROM deliveries_event e
    JOIN integrations_route r ON r.endpoint_id = e.endpoint_id
    WHERE e.id BETWEEN lpad(to_hex(%(first)s), 32, '0')::uuid AND lpad(to_hex(%(last)s), 32, '0')::uuid
    ORDER BY e.id
"""
#: What is written row by row otherwise; primary keys stay, as other tables refer to them.
_INDEXES = """
    SELECT 'DROP INDEX ' || quote_ident(indexname), indexdef FROM pg_indexes
    WHERE tablename = ANY (%s)
    AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))
"""
_CONSTRAINTS = """
    SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
        format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE contype IN ('f', 'u') AND conrelid::regclass::text = ANY (%s)
"""


def fill(events: int) -> None:
    """Make ``events`` events that were handled, each with a delivery; says on stderr how far it is."""
    from django.db import connection

    from integrations.models import Endpoint, Route

    for number in range(_ENDPOINTS):
        endpoint = Endpoint.objects.create(slug=f"past-{number:03}", provider="github")
        Route.objects.create(endpoint=endpoint, name="past", handler=HANDLER)
    begun = time.monotonic()
    with connection.cursor() as cursor, _without_indexes(cursor):
        for first in range(1, events + 1, _AT_ONCE):
            last = min(events, first + _AT_ONCE - 1)
            values = {"events": events, "first": first, "last": last, "endpoints": _ENDPOINTS}
            cursor.execute(_EVENTS, values)
            cursor.execute(_DELIVERIES, values)
            print(f"  {last:,} events after {time.monotonic() - begun:,.0f} s", file=sys.stderr, flush=True)
    print(f"  filled in {time.monotonic() - begun:,.0f} s", file=sys.stderr, flush=True)


@contextmanager
def _without_indexes(cursor: Any) -> Iterator[None]:
    """Take indexes and constraints off, and put them back at the end; then do what autovacuum would be busy with."""
    cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'")
    cursor.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
    cursor.execute("SELECT pg_reload_conf()")
    cursor.execute(_CONSTRAINTS, [list(_TABLES)])
    taken = cursor.fetchall()
    cursor.execute(_INDEXES, [list(_TABLES)])
    taken += cursor.fetchall()
    for drop, _ in taken:
        cursor.execute(drop)
    yield
    for _, make in taken:
        cursor.execute(make)
    for table in _TABLES:
        cursor.execute(f"VACUUM (ANALYZE) {table}")
    cursor.execute("ALTER SYSTEM RESET max_wal_size")
    cursor.execute("SELECT pg_reload_conf()")
    cursor.execute("CHECKPOINT")
