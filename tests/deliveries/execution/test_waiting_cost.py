"""What deliveries cost that wait for a retry: nothing, however many they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import connection, transaction
from django.test import TransactionTestCase

from deliveries.models import Delivery
from tests.deliveries.execution.test_transitions import LEASE, NOW
from tests.factories import make_delivery, make_endpoint, make_event, make_route

WAITING = 100_000
ROUTES = 10
#: All statements that look for work read no more rows than this: ten routes in two lanes, and what is due.
MOST_ROWS = 200

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"

_WHOLE = re.compile(r"Seq Scan on deliveries_delivery|SCAN (d|deliveries_delivery)\b(?! USING INDEX)")


class WaitingTests(TransactionTestCase):
    def setUp(self) -> None:
        endpoint = make_endpoint()
        self.routes = [make_route(endpoint) for _ in range(ROUTES)]
        self.template = make_delivery(
            self.routes[0],
            event=make_event(endpoint, dedupe_key="template"),
            status="waiting",
            now=NOW + timedelta(hours=1),
            attempt_count=1,
        )
        for route in self.routes[:3]:
            make_delivery(route, event=make_event(endpoint), now=NOW)

    def fill(self) -> None:
        """Make `WAITING` deliveries that wait for a time between an hour and a year from now."""
        events = WAITING // ROUTES
        with connection.cursor() as cursor:
            self.copy(cursor, "deliveries_event", events, id=_uuid("i"), dedupe_key="'copy' || i")
            for number, route in enumerate(self.routes, start=1):
                values = {
                    "id": _uuid(f"i + {number * events}"),
                    "event_id": _uuid("i"),
                    "route_id": f"'{_stored(route.pk)}'",
                    "due_at": _later("i * 3600"),
                }
                self.copy(cursor, "deliveries_delivery", events, **values)
            cursor.execute("ANALYZE")
        self.assertEqual(Delivery.objects.filter(status="waiting").count(), WAITING + 1)

    def copy(self, cursor: Any, table: str, count: int, **values: str) -> None:
        """Copy the template's row ``count`` times, with other ``values``, which are SQL."""
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        names = [column[0] for column in cursor.description]
        columns = ", ".join(values.get(name, f"t.{name}") for name in names)
        pk = _stored(self.template.pk if table == "deliveries_delivery" else self.template.event_id)
        numbers = _NUMBERS.format(count)
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) {numbers} SELECT {columns} FROM {table} t, n WHERE t.id = '{pk}'"
        )

    def look_for_work(self) -> int:
        """Do what workers do all the time; return how many deliveries were found. Nothing stays changed."""
        with transaction.atomic():
            self.assertTrue(Delivery.objects.any_due(NOW))
            found = len(Delivery.objects.claim(limit=16, now=NOW, lease=LEASE, worker="one:1"))
            transaction.set_rollback(True)
        return found

    def test_are_not_read_before_their_time(self) -> None:
        before = self.work_done()
        self.fill()
        after = self.work_done()

        if connection.vendor == "postgresql":
            self.assertLess(before, MOST_ROWS)
            self.assertLess(after, MOST_ROWS)
        else:
            self.assertLess(after, before * 1.05 + 100)
        with _statements() as seen:
            self.assertEqual(self.look_for_work(), 3)
        plans = [_plan(sql, params) for sql, params in seen if "due_at <=" in sql]
        self.assertGreaterEqual(len(plans), 3)  # is there work, of which routes, take it
        for plan in plans:
            self.assertIn("delivery_due", plan)
            self.assertIsNone(
                re.search(r"Seq Scan on deliveries_delivery|SCAN (d|deliveries_delivery)\b(?! USING INDEX)", plan), plan
            )

    def work_done(self) -> int:
        """Return how much the database did to look for work: rows read, or steps of SQLite's virtual machine."""
        if connection.vendor == "postgresql":
            with _statements() as seen:
                self.look_for_work()
            return sum(_rows_read(sql, params) for sql, params in seen if "due_at <=" in sql)
        self.look_for_work()  # the statements are compiled, and counted without that
        return _sqlite_steps(self.look_for_work)


@contextmanager
def _statements() -> Iterator[list[tuple[str, Any]]]:
    """Yield the statements that are sent meanwhile, those included that go past Django's cursors."""
    seen: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    if connection.vendor != "postgresql":
        with connection.execute_wrapper(note):
            yield seen
        return

    import psycopg

    execute = psycopg.Cursor.execute

    def noted(cursor: Any, sql: str, params: Any = None, **options: Any) -> Any:
        seen.append((sql, params))
        return execute(cursor, sql, params, **options)

    with mock.patch.object(psycopg.Cursor, "execute", noted):
        yield seen


def _plan(sql: str, params: Any) -> str:
    command = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{command} {sql}", params)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def _rows_read(sql: str, params: Any) -> int:
    """Return how many deliveries PostgreSQL has read for a statement, those included that it then passed over."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        found = cursor.fetchone()[0]
        transaction.set_rollback(True)
    plans = json.loads(found) if isinstance(found, str) else found
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in _nodes(plans[0]["Plan"])
        if node.get("Relation Name") == "deliveries_delivery"
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _sqlite_steps(work: Callable[[], object]) -> int:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, 1)
    try:
        work()
    finally:
        connection.connection.set_progress_handler(None, 1)
    return steps


def _uuid(number: str) -> str:
    """Return SQL that makes an id of ``number``."""
    if connection.vendor == "postgresql":
        return f"('00000000-0000-7000-8000-' || lpad(to_hex({number}), 12, '0'))::uuid"
    return f"printf('00000000000070008000%012x', {number})"


def _later(seconds: str) -> str:
    if connection.vendor == "postgresql":
        return f"t.due_at + make_interval(secs => {seconds})"
    return f"strftime('%Y-%m-%d %H:%M:%f', t.due_at, '+' || ({seconds}) || ' seconds')"


def _stored(pk: Any) -> str:
    return str(pk) if connection.vendor == "postgresql" else pk.hex
