"""What leaves the hub of an unexpected error: a fake Sentry on loopback that reads envelopes."""

from __future__ import annotations

import gzip
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import SkipTest, mock

import structlog
from django.test import SimpleTestCase

from deliveries import error_reports
from deliveries.log_context import lines_with
from integrations import tracing
from integrations.errors import GiveUp
from tests.automations import handlers as automations
from tests.deliveries.execution.drains import DrainTestCase, delivery_to
from tests.integrations.connectors.servers import Seen, Server, serving
from tests.running_hub import wait_until

try:
    import sentry_sdk

    from deliveries.sentry import SentryCollector, scrubbed
    from tests.deliveries.test_traces import SENDER, TRACE, collecting, spans_of
except ImportError as exc:  # an extra
    raise SkipTest("requirements-extras.txt is not installed") from exc

MARKER = "MARKER-secret"
log = structlog.get_logger("deliveries.test")


def envelope(seen: Seen) -> list[dict[str, Any]]:
    """Return the events in one envelope: a header, then a header and a payload for each item."""
    body = gzip.decompress(seen.body) if seen.headers.get("content-encoding") == "gzip" else seen.body
    lines = [json.loads(line) for line in body.split(b"\n") if line]
    return [payload for header, payload in zip(lines[1::2], lines[2::2], strict=True) if header["type"] == "event"]


@contextmanager
def reporting() -> Iterator[tuple[Server, SentryCollector]]:
    with serving(Server(body=b"{}")) as sentry:
        dsn = f"http://public@127.0.0.1:{sentry.port}/1"
        collector = SentryCollector(dsn, release="1", environment="test")
        collector.attach()
        error_reports.install(collector)
        try:
            yield sentry, collector
        finally:
            error_reports.install(None)
            collector.detach()
            sentry_sdk.get_client().close(timeout=0.1)
            sentry_sdk.get_global_scope().set_client(None)


def reported(sentry: Server) -> list[dict[str, Any]]:
    error_reports.flush(5)
    return [event for seen in sentry.seen for event in envelope(seen)]


def told(sentry: Server) -> str:
    whole = b"".join(
        gzip.decompress(seen.body) if seen.headers.get("content-encoding") == "gzip" else seen.body
        for seen in sentry.seen
    )
    return whole.decode()


class AnErrorTests(SimpleTestCase):
    def test_of_a_log_line_has_its_name_its_ids_and_where_it_arose(self) -> None:
        with reporting() as (sentry, _), lines_with(request_id="r-1", delivery="d-1", payload=MARKER):
            secret = MARKER
            try:
                raise ValueError(f"cannot read {secret}")
            except ValueError:
                log.exception("attempt.not_storable", endpoint="orders", body=secret)
            (event,) = reported(sentry)

            self.assertEqual(event["message"], "attempt.not_storable")
            self.assertEqual(
                event["tags"],
                {
                    "request_id": "r-1",
                    "delivery": "d-1",
                    "endpoint": "orders",
                    "log_event": "attempt.not_storable",
                },
            )
            (error,) = event["exception"]["values"]
            self.assertEqual(error["type"], "ValueError")
            self.assertEqual(error["stacktrace"]["frames"][-1]["function"], self._testMethodName)
            self.assertNotIn(MARKER, told(sentry))
            self.assertNotIn("contexts", event)  # the SDK's own trace leads nowhere

    def test_of_another_library_has_the_name_of_its_logger_alone(self) -> None:
        with reporting() as (sentry, _):
            logging.getLogger("django.request").error("Internal Server Error: %s", f"/x?token={MARKER}")
            (event,) = reported(sentry)

            self.assertEqual(event["message"], "django.request")
            self.assertNotIn(MARKER, told(sentry))

    def test_of_the_programs_that_run_the_hub_is_told_too(self) -> None:
        with reporting() as (sentry, _):
            for name in ("django-q", "gunicorn.error"):
                with mock.patch.object(logging.getLogger(name), "propagate", new=False):
                    logging.getLogger(name).error("Failed: %s", MARKER)

            self.assertEqual([event["message"] for event in reported(sentry)], ["django-q", "gunicorn.error"])
            self.assertNotIn(MARKER, told(sentry))

    def test_is_not_made_of_a_warning_nor_of_what_a_handler_says_to_the_hub(self) -> None:
        with reporting() as (sentry, _):
            log.warning("delivery.dead")
            logging.getLogger("opentelemetry.sdk").error("Failed to export")
            error_reports.handler_failed(GiveUp("no such customer"))
            error_reports.handler_failed(SystemExit(1))

            self.assertEqual(reported(sentry), [])

    def test_holds_only_what_is_listed_whatever_the_library_adds(self) -> None:
        event = {
            "level": "error",
            "request": {"data": MARKER},
            "user": {"id": MARKER},
            "extra": {"sys.argv": [MARKER]},
            "breadcrumbs": {"values": [{"message": MARKER}]},
            "contexts": {"x": {"y": MARKER}},
            "modules": {MARKER: "1"},
            "logentry": {"message": MARKER},
            "message": MARKER,
            "tags": {"payload": MARKER, "delivery": "d-1"},
            "exception": {
                "values": [{"type": "E", "value": MARKER, "stacktrace": {"frames": [{"vars": {"a": MARKER}}]}}]
            },
        }
        event["contexts"] |= {"trace": {"trace_id": MARKER, "data": MARKER}}
        kept = scrubbed(event, {"hub_trace": {"trace_id": "1" * 32, "span_id": "2" * 16, "data": MARKER}})

        self.assertNotIn(MARKER, json.dumps(kept))
        self.assertEqual(kept["contexts"], {"trace": {"trace_id": "1" * 32, "span_id": "2" * 16}})
        self.assertEqual((kept["level"], kept["tags"]), ("error", {"delivery": "d-1"}))


class AProcessTests(SimpleTestCase):
    def fork(self, do: Callable[[], object]) -> int:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                do()
                status = 0
            finally:
                os._exit(status)
        return pid

    def test_that_was_forked_from_one_that_reported_sends_its_first_error_at_once(self) -> None:
        with reporting() as (sentry, _):
            log.error("of.the_parent")
            self.assertEqual(len(reported(sentry)), 1)  # its thread waits for the next from here on

            released, release = os.pipe()

            def child() -> None:
                log.error("of.the_child")
                os.read(released, 1)  # it lives on, and reports nothing else

            pid = self.fork(child)
            try:
                wait_until(lambda: len(sentry.seen) == 2, seconds=5, what="the report")
            finally:
                os.write(release, b"x")
                self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_that_has_reported_nothing_does_not_wait_at_its_end(self) -> None:
        with reporting() as (sentry, _):
            log.error("of.the_parent")
            self.assertEqual(len(reported(sentry)), 1)
            began = time.monotonic()
            pid = self.fork(lambda: error_reports.flush(5))
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            self.assertLess(time.monotonic() - began, 1)

    def test_waits_once_for_a_service_that_is_silent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            collector = SentryCollector(f"http://k@127.0.0.1:{silent.getsockname()[1]}/1", release="1", environment="t")
            self.addCleanup(sentry_sdk.get_global_scope().set_client, None)
            collector.capture(ValueError("x"))
            began = time.monotonic()
            for _ in range(3):
                collector.flush(0.3)
            self.assertLess(time.monotonic() - began, 0.6)


class AHandlersErrorTests(DrainTestCase):
    def test_has_the_ids_of_its_delivery_and_not_its_text(self) -> None:
        delivery = delivery_to("test.fail", body=b'{"a": "MARKER-secret"}', retry={"max_attempts": 1})
        automations.texts[str(delivery.pk)] = MARKER
        self.addCleanup(automations.texts.clear)

        with reporting() as (sentry, _):
            self.work()
            (event,) = reported(sentry)

            self.assertEqual(event["tags"]["delivery"], str(delivery.pk))
            self.assertEqual(event["tags"]["event_uuid"], str(delivery.event_id))
            self.assertEqual((event["tags"]["handler"], event["tags"]["attempt"]), ("test.fail", "1"))
            self.assertEqual(event["exception"]["values"][-1]["type"], "Broken")
            self.assertNotIn(MARKER, told(sentry))

    def test_leads_to_the_span_of_its_attempt(self) -> None:
        delivery = delivery_to("test.fail", body=b"{}", retry={"max_attempts": 1})

        with collecting() as (collector, tracer), reporting() as (sentry, _):
            self.work()
            (event,) = reported(sentry)
            tracer.flush(5)

        (attempt,) = spans_of(collector)
        self.assertEqual(attempt.trace_id, delivery.event_id.bytes)
        self.assertEqual(
            event["contexts"], {"trace": {"trace_id": attempt.trace_id.hex(), "span_id": attempt.span_id.hex()}}
        )


class ARequestsErrorTests(SimpleTestCase):
    def test_leads_to_the_span_of_its_receipt(self) -> None:
        with collecting() as (collector, tracer), reporting() as (sentry, _):
            with tracing.receipt(SENDER):
                log.error("rejection.not_stored")
            log.error("of.nothing")
            within, outside = reported(sentry)
            tracer.flush(5)

        (receipt,) = spans_of(collector)
        self.assertEqual(within["contexts"], {"trace": {"trace_id": TRACE, "span_id": receipt.span_id.hex()}})
        self.assertNotIn("contexts", outside)
