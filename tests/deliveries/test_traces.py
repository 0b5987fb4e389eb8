"""Traces, as a collector gets them: a real OTLP receiver on loopback, nothing replaced."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any
from unittest import SkipTest
from unittest.mock import patch

from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from deliveries.listening.remote import Original
from deliveries.listening.targets import Address
from deliveries.models import Delivery, Event
from hub import gunicorn
from integrations import tracing
from integrations.models import Connection
from tests.automations import handlers as automations
from tests.deliveries.api.cases import client_of
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase, eventually
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.deliveries.test_log_lines import everything_logged, lines_of
from tests.factories import make_route
from tests.integrations.connectors.servers import Server, serving
from tests.running_hub import free_port

try:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from integrations.tracing.otlp import OtlpTracer, parsed_headers
except ImportError as exc:  # an extra
    raise SkipTest("requirements-extras.txt is not installed") from exc

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENDER = f"00-{TRACE}-00f067aa0ba902b7-01"
LOOPBACK = [ip_network("127.0.0.0/8")]


def spans_of(collector: Server) -> list[Any]:
    found = []
    for seen in collector.seen:
        for resource in ExportTraceServiceRequest.FromString(seen.body).resource_spans:
            for scope in resource.scope_spans:
                found += scope.spans
    return sorted(found, key=lambda span: span.start_time_unix_nano)


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


@contextmanager
def collecting(*, status: int = 200) -> Iterator[tuple[Server, OtlpTracer]]:
    with serving(Server(status=status, body=b"", headers={"Content-Type": "application/x-protobuf"})) as collector:
        tracer = OtlpTracer(
            collector.url, headers=parsed_headers("authorization=Bearer%20abc="), service="hub", version="1"
        )
        try:
            with tracing.collected_by(tracer):
                yield collector, tracer
        finally:
            tracer.close(0.1)


@override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
class ATraceTests(Sender, DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.numbers = itertools.count()
        self.endpoint = signed_endpoint(slug="orders")
        self.shop = self.enterContext(serving(Server()))
        self.collector, self.tracer = self.enterContext(collecting())
        retry = {"max_attempts": 1, "initial_seconds": 0.01, "max_seconds": 0.01}
        Connection.objects.create(name="shop", base_url=f"{self.shop.url}/MARKER-path", auth="none", retry=retry)

    def route(self, handler: str) -> None:
        make_route(self.endpoint, handler=handler, config={"connection": "shop"}, retry=AT_ONCE)

    def receive(self, traceparent: str = SENDER) -> None:
        answer = self.send(
            self.endpoint,
            {"type": "paid", "a": "MARKER-body", "n": next(self.numbers)},
            headers={"traceparent": traceparent, "X-A": "MARKER"},
        )
        self.assertEqual(answer.status_code, 200)

    def finish(self) -> list[Any]:
        self.tracer.flush(5)
        return spans_of(self.collector)

    def test_leads_from_the_sender_to_the_call_of_a_handler(self) -> None:
        for handler in ("test.call", "test.acall"):
            with self.subTest(handler):
                self.route(handler)
        self.receive()
        self.work()

        spans = self.finish()
        receipt = next(span for span in spans if span.name == "POST /hooks")
        attempts = [span for span in spans if span.name in {"test.call", "test.acall"}]
        calls = [span for span in spans if span.name == "POST"]
        self.assertEqual({span.trace_id.hex() for span in spans}, {TRACE})
        self.assertEqual(receipt.parent_span_id.hex(), "00f067aa0ba902b7")
        self.assertEqual({span.parent_span_id for span in attempts}, {receipt.span_id})
        self.assertEqual({span.parent_span_id for span in calls}, {span.span_id for span in attempts})
        sent = {seen.headers["traceparent"] for seen in self.shop.seen}
        self.assertEqual(sent, {f"00-{TRACE}-{span.span_id.hex()}-01" for span in calls})
        self.assertEqual(Event.objects.get().traceparent, f"00-{TRACE}-{receipt.span_id.hex()}-01")

    def test_goes_on_with_the_events_that_a_handler_emits(self) -> None:
        make_route(self.endpoint, handler="test.emit", events=["paid"])
        self.receive()
        self.work()

        attempt = next(span for span in self.finish() if span.name == "test.emit")
        emitted = Event.objects.get(event_type="followed")
        self.assertEqual(emitted.traceparent, f"00-{TRACE}-{attempt.span_id.hex()}-01")

    def test_links_a_retry_to_the_attempt_before_it(self) -> None:
        self.shop.status = 500
        self.route("test.call")
        self.receive()
        for _ in range(3):
            self.work()
            time.sleep(0.01)

        attempts = [span for span in self.finish() if span.name == "test.call"]
        self.assertEqual([attributes(span)["hub.attempt"] for span in attempts], [1, 2, 3])
        links = [[link.span_id for link in span.links] for span in attempts]
        self.assertEqual(links, [[], [attempts[0].span_id], [attempts[1].span_id]])
        self.assertEqual({span.status.code for span in attempts}, {2})
        self.assertEqual({attributes(span)["error.type"] for span in attempts}, {"Broken"})

    @override_settings(HUB_STOP_SECONDS=0.05)
    def test_shows_the_attempt_that_a_stopping_worker_gives_back(self) -> None:
        self.route("test.wait")
        self.receive()
        stopped = self.background().start()
        eventually(lambda: automations.seen)
        stopped.stop.set()
        stopped.join()
        automations.go_on.set()
        self.work()

        lost, done = (span for span in self.finish() if span.name == "test.wait")
        self.assertEqual([attributes(span)["hub.outcome"] for span in (lost, done)], ["lost", "succeeded"])
        self.assertGreater(lost.end_time_unix_nano - lost.start_time_unix_nano, 0.05e9)
        self.assertEqual([link.span_id for link in done.links], [lost.span_id])

    def test_has_the_ids_of_the_rows_and_nothing_that_was_sent(self) -> None:
        self.route("test.call")
        self.receive()
        self.work()

        spans = self.finish()
        attempt = next(attributes(span) for span in spans if span.name == "test.call")
        delivery = Delivery.objects.get()
        self.assertEqual(attempt["hub.delivery"], str(delivery.pk))
        self.assertEqual(attempt["hub.event_uuid"], str(delivery.event_id))
        self.assertEqual((attempt["hub.endpoint"], attempt["hub.outcome"]), ("orders", "succeeded"))
        self.assertEqual(attempt["hub.request_id"], delivery.event.request_id)
        told = b"".join(seen.body for seen in self.collector.seen)
        self.assertNotIn(b"MARKER", told)
        self.assertNotIn(b"correct horse", told)
        self.assertEqual({seen.path for seen in self.collector.seen}, {"/v1/traces"})
        self.assertEqual({seen.headers["authorization"] for seen in self.collector.seen}, {"Bearer abc="})

    def test_begins_with_the_receipt_if_the_sender_names_none(self) -> None:
        self.route("test.nothing")
        for nonsense in (
            "",
            "00-abc",
            SENDER.replace(TRACE, "0" * 32),
            f"{SENDER}-more",
            f"ff{SENDER[2:]}",
            "x" * 5000,
        ):
            with self.subTest(nonsense[:60]):
                self.collector.seen.clear()
                self.receive(nonsense)
                receipt = next(span for span in self.finish() if span.name == "POST /hooks")
                self.assertEqual(receipt.parent_span_id, b"")
                self.assertNotEqual(receipt.trace_id.hex(), TRACE)

    def test_is_named_by_the_event_in_the_api(self) -> None:
        self.route("test.nothing")
        with tracing.collected_by(None):
            self.receive(SENDER)
            desk = client_of(User.objects.create_superuser("ada"))
            url = f"/api/v1/events/{Event.objects.get().pk}/"
            self.assertEqual(desk.get(url).json()["trace_id"], "")
        self.assertEqual(desk.get(url).json()["trace_id"], Event.objects.get().pk.hex)
        Event.objects.update(traceparent=SENDER)
        with tracing.collected_by(None):
            self.assertEqual(desk.get(url).json()["trace_id"], TRACE)

    def test_goes_on_where_a_listener_hands_the_request_to(self) -> None:
        original = Original(
            headers={"Traceparent": SENDER},
            body=b"{}",
            query_string="",
            url="",
            received_at=timezone.now(),
            is_complete=True,
        )
        to = Address(f"{self.shop.url}/MARKER-path", timeout_seconds=5)
        self.addCleanup(to.close)
        self.assertTrue(to.deliver(original).is_success)

        listening, call = self.finish()
        self.assertEqual((listening.name, call.name), ("listen", "POST"))
        self.assertEqual(listening.parent_span_id.hex(), "00f067aa0ba902b7")
        self.assertEqual(call.parent_span_id, listening.span_id)
        self.assertEqual(self.shop.seen[0].headers["traceparent"], f"00-{TRACE}-{call.span_id.hex()}-01")

    def test_says_why_a_request_was_refused(self) -> None:
        self.assertEqual(self.send(self.endpoint, b"{}", secret="wrong").status_code, 401)

        (receipt,) = self.finish()
        said = attributes(receipt)
        self.assertEqual((said["http.response.status_code"], said["hub.endpoint"]), (401, "orders"))
        self.assertEqual(said["error.type"], "signature_mismatch")
        self.assertEqual(receipt.status.code, 0)  # it is the sender's error

    def test_shows_as_an_error_what_broke(self) -> None:
        self.shop.status = 404
        self.route("test.call")
        with patch("deliveries.receiving.ingest.accept", side_effect=OperationalError):
            self.assertEqual(self.send(self.endpoint, b"{}").status_code, 503)
        with (
            patch("deliveries.receiving.ingest.accept", side_effect=ZeroDivisionError),
            self.assertRaises(ZeroDivisionError),
        ):
            self.send(self.endpoint, b"{}")
        self.receive()
        self.work()

        spans = self.finish()
        errors = [(span.name, attributes(span)["error.type"]) for span in spans if span.status.code == 2]
        self.assertEqual(errors[:2], [("POST /hooks", "unavailable"), ("POST /hooks", "ZeroDivisionError")])
        self.assertIn(("POST", "404"), errors)

    def test_is_that_of_the_event_where_its_receipt_had_none(self) -> None:
        self.route("test.nothing")
        with tracing.collected_by(None):
            self.receive()
        self.work()

        (attempt,) = self.finish()
        self.assertEqual(attempt.trace_id, Event.objects.get().pk.bytes)
        self.assertEqual(attempt.parent_span_id, b"")

    def test_is_not_told_where_the_sender_does_not_want_it(self) -> None:
        self.route("test.call")
        self.receive(f"{SENDER[:-1]}0")
        self.work()

        self.assertEqual(self.finish(), [])
        self.assertTrue(self.shop.seen[0].headers["traceparent"].endswith("-00"))


class AProcessTests(SimpleTestCase):
    def receive(self) -> None:
        with tracing.receipt(SENDER):
            pass

    def test_that_was_forked_sends_by_itself_and_flushes_as_it_ends(self) -> None:
        with collecting() as (collector, tracer):
            self.receive()  # the parent has its exporter, with a thread that no fork has
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    self.receive()
                    tracing.flush(5)
                    status = 0
                finally:
                    os._exit(status)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            self.assertEqual(len(spans_of(collector)), 1)
            tracer.flush(5)
            self.assertEqual(len(spans_of(collector)), 2)

    def test_of_workers_sends_what_is_left_at_its_end_without_being_told_to(self) -> None:
        with collecting() as (collector, _):
            worker = multiprocessing.get_context("fork").Process(target=self.receive)
            worker.start()
            worker.join(10)

            self.assertEqual(worker.exitcode, 0)
            self.assertEqual(len(spans_of(collector)), 1)

    def test_of_the_web_server_sends_what_is_left_at_its_end(self) -> None:
        with collecting() as (collector, _):
            self.receive()
            gunicorn.worker_exit(None, None)

            self.assertEqual(len(spans_of(collector)), 1)

    def test_does_not_wait_for_a_collector_that_is_silent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, collecting() as (_, tracer):
            tracer._url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
            began = time.monotonic()
            for _ in range(3000):  # more than the queue holds
                self.receive()
            tracer.flush(0.2)
            self.assertLess(time.monotonic() - began, 5)

    def test_waits_once_at_its_end_for_a_collector_that_is_silent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, collecting() as (_, tracer):
            tracer._url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
            self.receive()
            began = time.monotonic()
            tracer.flush(0.5)
            tracer.flush(0.5)
            tracer.close(0.5)
            self.assertLess(time.monotonic() - began, 0.9)

    def test_says_once_that_nothing_is_taken_and_once_that_it_is_again(self) -> None:
        with collecting(status=401) as (collector, tracer), everything_logged() as streams:
            for status in (401, 403, 200, 200):
                collector.status = status
                self.receive()
                tracer.flush(5)
            said = [(line["event"], line.get("reason")) for line in lines_of(streams)]
            self.assertEqual(said, [("traces.not_sent", "status 401"), ("traces.sent_again", None)])

    def test_says_that_a_redirect_leads_away_from_who_takes_them(self) -> None:
        with collecting(status=308) as (_, tracer), everything_logged() as streams:
            self.receive()
            tracer.flush(5)
            said = [(line["event"], line.get("reason")) for line in lines_of(streams)]
            self.assertEqual(said, [("traces.not_sent", "status 308")])

    def test_says_that_nobody_answers(self) -> None:
        with collecting() as (_, tracer), everything_logged() as streams:
            tracer._url = f"http://127.0.0.1:{free_port()}/v1/traces"
            self.receive()
            tracer.flush(7)
            said = [(line["event"], line.get("reason")) for line in lines_of(streams)]
            self.assertEqual(said, [("traces.not_sent", "ConnectionError")])

    def test_makes_nothing_where_nobody_collects(self) -> None:
        with tracing.collected_by(None):
            with tracing.receipt(SENDER) as span:
                span.note(a=1)
                span.failed("x")
            self.assertEqual((tracing.traceparent(), tracing.trace_id(), tracing.is_on()), ("", "", False))
