"""The statements that a busy hub lives on find their rows by the indexes made for them, however many there are."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.models import Delivery, Event, ParkedKey, claiming
from deliveries.models.ordering import Key, mend_stranded, park, places, settle, unpark
from integrations.models import Route
from tests.deliveries.execution.lines import claim, ordered_route
from tests.factories import make_endpoint, make_route

NOW = timezone.now()
TABLE = "deliveries_delivery"


def fill(route: Route, count: int, *, key: str = "", **values: Any) -> None:
    """Make ``count`` deliveries of ``route``; of one ``key`` the first is the only one that is not blocked."""
    events = [
        Event(
            endpoint=route.endpoint, provider="generic_none", verdict="verified", received_at=NOW, raw_body=b"{}",
            dedupe_key=f"{route.pk}:{key}:{values.get('status')}:{number}", body_sha256=b"", body_bytes=2,
        )
        for number in range(count)
    ]  # fmt: skip
    Event.objects.bulk_create(events, batch_size=500)
    Delivery.objects.bulk_create(
        (
            Delivery(
                event=event, endpoint=route.endpoint, route=route, created_at=NOW, ordering_key=key,
                due_at=NOW - timedelta(seconds=number), ordinal=number + 1 if key else None,
                **{"blocked": bool(key) and number > 0, **values},
            )
            for number, event in enumerate(events)
        ),
        batch_size=500,
    )  # fmt: skip


class IndexTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.busy, cls.other = make_route(make_endpoint()), make_route(make_endpoint(), concurrency=5)
        cls.ordered = ordered_route(failure="park")
        done = {"status": "succeeded", "finished_at": NOW}
        fill(cls.busy, 3000, **done)
        fill(cls.ordered, 1500, key="done", blocked=False, **done)
        fill(cls.busy, 300)
        fill(cls.other, 20)
        fill(cls.other, 3, status="running", lease_until=NOW)
        for number in range(6):
            fill(cls.ordered, 30, key=f"k{number}")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def plans(self, statements: list[dict[str, str]]) -> list[str]:
        """Return the plan of each statement about deliveries."""
        found = []
        with connection.cursor() as cursor:
            for query in statements:
                sql = query["sql"]
                if TABLE not in sql or not sql.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
                    continue
                prefix = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
                cursor.execute(prefix + sql)
                lines = [str(row[0] if connection.vendor == "postgresql" else row[-1]) for row in cursor.fetchall()]
                found.append("\n".join([sql, *lines]))
        self.assertTrue(found)
        return found

    def assert_uses(self, move: Any, *indexes: str) -> None:
        """Check that ``move`` reads deliveries by index, that each of ``indexes`` is used, and none by route alone."""
        with CaptureQueriesContext(connection) as captured:
            move()
        self.check(self.plans(captured.captured_queries), *indexes)

    def check(self, plans: list[str], *indexes: str) -> None:
        for plan in plans:
            self.assertNotIn("Seq Scan on deliveries_", plan.replace("Seq Scan on deliveries_parkedkey", ""))
            for line in plan.splitlines():
                scans = line.strip().startswith("SCAN ") and "INDEX" not in line
                self.assertFalse(scans and line.strip().split()[1] in {"d", "e", TABLE}, plan)
                self.assertNotRegex(line, "delivery_route_id|delivery_by_route", plan)
        for index in indexes:
            self.assertTrue([plan for plan in plans if index in plan], (index, plans))

    def test_serve_the_look_for_work(self) -> None:
        self.assert_uses(lambda: Delivery.objects.any_due(NOW), "delivery_due")

    def test_serve_the_claim(self) -> None:
        if connection.vendor == "sqlite":
            self.assert_uses(lambda: self.assertTrue(claim(NOW)), "delivery_due", "delivery_in_the_way")
            return
        wanted = [{"route_id": str(route.pk), "bulk": False, "most": 5} for route in (self.busy, self.ordered)]
        values = {"wanted": json.dumps(wanted), "total": 10, "now": NOW, "until": NOW, "worker": "one:1"}
        with connection.cursor() as cursor:
            # Executed on the driver's own cursor, past what records the statements of a test.
            sql = cursor.mogrify(claiming._take_statement(), values)
        self.check(self.plans([{"sql": sql}]), "delivery_due", "delivery_in_the_way")

    def test_serve_the_place_of_a_new_delivery(self) -> None:
        keys = [Key(self.ordered.pk, key) for key in ("k1", "k2", "done", "new")]

        self.assert_uses(lambda: places(keys, using="default"), "delivery_in_the_way")

    def test_serve_the_next_of_a_key(self) -> None:
        key = Key(self.ordered.pk, "k1")

        self.assert_uses(lambda: settle([key], using="default"), "delivery_in_the_way")
        self.assert_uses(lambda: settle([key], using="default", reorder=True), "delivery_in_the_way")

    def test_serve_the_parking_of_a_key(self) -> None:
        key, dead = Key(self.ordered.pk, "k1"), Delivery.objects.filter(ordering_key="k1", blocked=False).get()

        self.assert_uses(lambda: park(key, dead.pk, now=NOW, using="default"), "delivery_in_the_way")
        self.assertEqual(ParkedKey.objects.count(), 1)
        # Few are held here: their own index serves as well.
        self.assert_uses(lambda: self.assertEqual(unpark([key], now=NOW, using="default"), 30))

    def test_serve_the_look_for_stranded_keys(self) -> None:
        Delivery.objects.filter(ordering_key="k1", blocked=False).delete()

        self.assert_uses(lambda: mend_stranded(now=NOW, using="default"), "delivery_blocked", "delivery_in_the_way")
