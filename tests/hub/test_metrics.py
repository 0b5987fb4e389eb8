"""``/metrics``, read with Prometheus' own parser."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from deliveries.models import DeliveryStatus, Outcome, Worker
from deliveries.overload.judging import Facts
from deliveries.receiving.tally import tally
from deliveries.stats import outcomes
from deliveries.stats.counting import counting
from integrations.api.scopes import Scope
from integrations.models import Connection, ConnectionHealth, EndpointGroup, Restriction
from tests.deliveries.api.cases import client_of, make_user
from tests.deliveries.overload.loads import standing
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_delivery, make_endpoint, make_event, make_route

METRICS = "/metrics"
STRANGER = {"REMOTE_ADDR": "192.0.2.7"}


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return what ``text`` says, by name and label values in the order of their labels' names."""
    found: dict[tuple[str, ...], float] = {}
    for family in parse(text):
        for sample in family.samples:
            key = (sample.name, *(sample.labels[label] for label in sorted(sample.labels)))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


class MetricsTestCase(TestCase):
    def read(self, client: Any = None, **environ: str) -> dict[tuple[str, ...], float]:
        """Write what was counted, and read all."""
        counting.flush()
        tally.flush()
        response = (client or self.client).get(METRICS, **environ)
        self.assertEqual(response.status_code, 200, response.content)
        return samples(response.content.decode())


class MetricsTests(Sender, MetricsTestCase):
    def test_count_what_was_received(self) -> None:
        endpoint = signed_endpoint(slug="orders")
        for event_id in ("a", "b", "a"):
            self.send(endpoint, event_id=event_id)
        self.send(endpoint, secret="wrong")

        found = self.read()

        self.assertEqual(found["hub_events_accepted_total", "orders"], 2)
        self.assertEqual(found["hub_requests_duplicate_total", "orders"], 1)
        self.assertEqual(found["hub_requests_refused_total", "orders", "signature_mismatch"], 1)
        self.assertEqual(found["hub_ack_seconds_count", "orders"], 3)
        self.assertGreater(found["hub_ack_seconds_sum", "orders"], 0)

    def test_only_grow_while_counts_are_written_again_and_again(self) -> None:
        endpoint = signed_endpoint(slug="orders")
        for number in range(1, 4):
            self.send(endpoint, event_id=f"e{number}")
            self.send(endpoint, secret="wrong")

            found = self.read()

            self.assertEqual(found["hub_events_accepted_total", "orders"], number)
            self.assertEqual(found["hub_requests_refused_total", "orders", "signature_mismatch"], number)

    def test_time_handlers_in_buckets_that_add_up(self) -> None:
        route = make_route(make_endpoint(slug="orders"), name="Book")
        delivery = make_delivery(route)
        for seconds in (0.0004, 0.004, 0.004, 40, 5000):
            outcomes.ended(delivery, Outcome.SUCCEEDED, DeliveryStatus.SUCCEEDED, now=timezone.now(), seconds=seconds)

        found = self.read()

        below = [found["hub_handler_seconds_bucket", "orders", edge, "Book"] for edge in ("0.0005012", "0.005012")]
        self.assertEqual(below, [1, 3])
        self.assertEqual(found["hub_handler_seconds_bucket", "orders", "1000", "Book"], 4)
        self.assertEqual(found["hub_handler_seconds_bucket", "orders", "+Inf", "Book"], 5)
        self.assertEqual(found["hub_handler_seconds_count", "orders", "Book"], 5)
        self.assertAlmostEqual(found["hub_handler_seconds_sum", "orders", "Book"], 5040.0084, places=4)

    def test_count_how_deliveries_and_attempts_ended(self) -> None:
        delivery = make_delivery(make_route(make_endpoint(slug="orders"), name="Book"))
        now = timezone.now()
        outcomes.ended(delivery, Outcome.FAILED, DeliveryStatus.WAITING, now=now)
        outcomes.ended(delivery, Outcome.TIMED_OUT, DeliveryStatus.DEAD, now=now)
        outcomes.ended(delivery, Outcome.SUCCEEDED, DeliveryStatus.SUCCEEDED, now=now)
        outcomes.discarded([delivery], now=now)

        found = self.read()

        ends = {key[2]: value for key, value in found.items() if key[0] == "hub_deliveries_total"}
        self.assertEqual(ends, {"dead": 1, "succeeded": 1, "discarded": 1})
        attempts = {key[2]: value for key, value in found.items() if key[0] == "hub_attempts_total"}
        self.assertEqual(attempts, {"failed": 2, "succeeded": 1})

    def test_go_on_from_what_a_retired_endpoint_of_the_name_had(self) -> None:
        first = signed_endpoint(slug="orders")
        self.send(first)
        first.retire(now=timezone.now())
        self.send(signed_endpoint(slug="orders"))

        self.assertEqual(self.read()["hub_events_accepted_total", "orders"], 2)

    def test_say_what_waits_and_since_when(self) -> None:
        now = timezone.now()
        book = make_route(make_endpoint(slug="orders"), name="Book")
        make_delivery(book, due_at=now - timedelta(seconds=90))
        make_delivery(book, due_at=now - timedelta(seconds=30), bulk=True)
        make_delivery(book, due_at=now + timedelta(hours=1), status="waiting")
        for _ in range(3):
            make_delivery(book, status="dead", finished_at=now)

        found = self.read()

        self.assertEqual(found["hub_queue_depth", "orders", "Book"], 2)
        self.assertAlmostEqual(found["hub_queue_age_seconds", "orders", "Book"], 90, delta=20)
        self.assertEqual(found["hub_dead_letters", "orders", "Book"], 3)

    def test_tell_of_a_route_on_which_nothing_waits(self) -> None:
        make_route(make_endpoint(slug="orders"), name="Book")

        found = self.read()

        self.assertEqual(found["hub_queue_depth", "orders", "Book"], 0)
        self.assertEqual(found["hub_dead_letters", "orders", "Book"], 0)

    def test_tell_of_connections_that_are_not_called(self) -> None:
        crm, _ = (Connection.objects.create(name=name, base_url="https://crm.example.com") for name in ("crm", "idle"))
        ConnectionHealth.objects.create(connection=crm, failures=5, open_until=timezone.now())

        found = self.read()

        self.assertEqual([found["hub_connection_open", name] for name in ("crm", "idle")], [1, 0])
        self.assertEqual(found["hub_connection_failures", "crm"], 5)

    def test_tell_of_the_workers(self) -> None:
        now = timezone.now()
        Worker.objects.beat("host:1", now=now, threads=8, running=3)
        Worker.objects.beat("host:2", now=now - timedelta(minutes=5), threads=8, running=8)

        found = self.read()

        self.assertEqual([found[name,] for name in ("hub_workers", "hub_worker_threads")], [1, 8])
        self.assertEqual(found["hub_worker_threads_busy",], 3)
        self.assertLess(found["hub_worker_silence_seconds",], 60)

    def test_tell_of_the_load(self) -> None:
        with standing(pressure=5.25, accept_only_by="ada", wait_seconds=0.5, facts=Facts(free_bytes=1024)):
            found = self.read()

        names = ("refused_below_priority", "accept_only", "request_wait_seconds", "disk_free_bytes")
        self.assertEqual([found[f"hub_{name}",] for name in names], [5.25, 1, 0.5, 1024])
        found = self.read()
        self.assertEqual([found.get((f"hub_{name}",)) for name in names], [0, 0, None, None])

    def test_tell_of_the_databases_connections_where_there_are_some(self) -> None:
        found = {key[0] for key in self.read()}

        names = {"hub_database_connections", "hub_database_connections_limit"}
        self.assertEqual(names & found, names if connection.vendor == "postgresql" else set())

    def test_are_openmetrics_for_who_asks_for_that(self) -> None:
        self.send(signed_endpoint(slug="orders"))
        counting.flush()

        response = self.client.get(METRICS, headers={"Accept": "application/openmetrics-text; version=1.0.0"})

        self.assertIn("openmetrics", response["Content-Type"])
        names = {family.name for family in parse_openmetrics(response.content.decode())}
        self.assertIn("hub_events_accepted", names)

    def test_need_no_more_queries_for_more_endpoints(self) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                self.client.get(METRICS)
            return len(captured)

        self.send(signed_endpoint())
        counting.flush()
        before = queries()
        for _ in range(5):
            endpoint = signed_endpoint()
            make_delivery(make_route(endpoint), event=make_event(endpoint))
            self.send(endpoint)
        counting.flush()

        self.assertEqual(queries(), before)
        self.assertLessEqual(before, 12)


class AccessTests(Sender, MetricsTestCase):
    def test_is_refused_to_strangers(self) -> None:
        response = self.client.get(METRICS, **STRANGER)

        self.assertEqual(response.status_code, 401)
        self.assertNotIn(b"hub_", response.content)

    def test_is_given_to_the_token_of_who_may_see_deliveries(self) -> None:
        self.send(signed_endpoint(slug="orders"))

        found = self.read(client_of(make_user("prometheus", role="viewer"), Scope.READ), **STRANGER)

        self.assertEqual(found["hub_events_accepted_total", "orders"], 1)

    def test_is_refused_to_tokens_that_may_not_read(self) -> None:
        for client in (client_of(make_user("nobody")), client_of(make_user("ada", role="viewer"), Scope.REPLAY)):
            self.assertEqual(client.get(METRICS, **STRANGER).status_code, 403)

    def test_shows_a_restricted_user_the_own_endpoints_only(self) -> None:
        group = EndpointGroup.objects.create(name="shop")
        ours, theirs = signed_endpoint(slug="ours", group=group), signed_endpoint(slug="theirs")
        for endpoint in (ours, theirs):
            make_delivery(make_route(endpoint), status="dead", finished_at=timezone.now())
            self.send(endpoint)
            self.send(endpoint, secret="wrong")
        user = make_user("sam", role="viewer")
        Restriction.objects.create(user=user).groups.add(group)

        found = self.read(client_of(user), **STRANGER)

        self.assertEqual(found["hub_events_accepted_total", "ours"], 1)
        self.assertFalse([key for key in found if "theirs" in key])

    def test_is_only_read(self) -> None:
        self.assertEqual(self.client.post(METRICS).status_code, 405)
