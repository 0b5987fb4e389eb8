"""``manage.py doctor --reach``: whether traces and errors arrive; real servers on loopback, nothing replaced."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import SkipTest, mock

from django.core.management import call_command
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone

from deliveries.doctor import collectors
from deliveries.doctor.symptoms import Symptom
from tests.deliveries.test_log_lines import everything_logged
from tests.integrations.connectors.servers import Server, make_certificate, say_nothing, serving, talking
from tests.running_hub import free_port

try:
    import opentelemetry.exporter.otlp.proto.http  # noqa: F401
    import sentry_sdk  # noqa: F401
except ImportError as exc:  # extras
    raise SkipTest("requirements-extras.txt is not installed") from exc

NOW = timezone.now()
TOKEN = "MARKER-token"
KEY = "MARKER-key"


@contextmanager
def with_certificate(*, names: list[str], expired: bool = False) -> Iterator[tuple[ssl.SSLContext, Path]]:
    """Yield the context of a server, and the file with its certificate."""
    with TemporaryDirectory() as folder:
        context, _ = make_certificate(Path(folder), names=names, expired=expired)
        yield context, Path(folder) / "certificate.pem"


class CollectorTests(SimpleTestCase):
    def look(self, endpoint: str) -> tuple[str, list[Symptom]]:
        with (
            override_settings(
                OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{TOKEN}"
            ),
            mock.patch.object(collectors, "SECONDS", 0.5),
            everything_logged() as streams,
        ):
            fact, symptoms = collectors.collector_takes_traces(NOW)
        self.assertEqual([stream.getvalue() for stream in streams.values()], ["", ""])
        self.assertNotIn("MARKER", f"{fact} {symptoms}")
        return fact, list(symptoms)

    def answered(self, status: int) -> Symptom:
        with serving(Server(status=status, body=b"MARKER")) as collector:
            _, (symptom,) = self.look(collector.url)
        self.assertEqual(symptom.level, "warning")
        self.assertIn(f"answers {status} to a request without spans", symptom.text)
        return symptom

    def test_is_not_asked_where_there_is_none(self) -> None:
        self.assertEqual(self.look(""), ("", []))

    def test_gets_a_request_without_spans_and_with_its_headers(self) -> None:
        with serving(Server(body=b"")) as collector:
            fact, symptoms = self.look(f"{collector.url}/base/MARKER/")
        self.assertEqual((fact, symptoms), (f"{collector.url} took a request without spans", []))
        (seen,) = collector.seen
        self.assertEqual((seen.method, seen.path, seen.body), ("POST", "/base/MARKER/v1/traces", b""))
        self.assertEqual(seen.headers["authorization"], f"Bearer {TOKEN}")
        self.assertEqual(seen.headers["content-type"], "application/x-protobuf")

    def test_that_wants_another_login_is_told_with_the_setting(self) -> None:
        for status in (401, 403):
            with self.subTest(status):
                self.assertIn("OTEL_EXPORTER_OTLP_HEADERS", self.answered(status).mend)

    def test_that_is_none_is_told_with_the_setting(self) -> None:
        self.assertIn("/v1/traces is added to OTEL_EXPORTER_OTLP_ENDPOINT", self.answered(404).mend)

    def test_behind_a_redirect_takes_nothing(self) -> None:
        self.assertIn("redirects are not followed", self.answered(308).mend)

    def test_that_fails_is_to_be_looked_at_itself(self) -> None:
        self.assertEqual(self.answered(503).mend, "Look into the collector's own log.")

    def test_at_what_is_no_address_is_told_as_that(self) -> None:
        _, (symptom,) = self.look("http://user:MARKER@collector:port")
        self.assertIn("OTEL_EXPORTER_OTLP_ENDPOINT is no address", symptom.text)

    def test_where_nobody_listens_is_told_as_that(self) -> None:
        _, (symptom,) = self.look(f"http://user:MARKER@127.0.0.1:{free_port()}")
        self.assertIn("the connection was refused", symptom.text)
        self.assertIn("Does it run", symptom.mend)

    def test_whose_name_is_not_found_is_told_as_that(self) -> None:
        _, (symptom,) = self.look("http://collector.invalid:4318")
        self.assertEqual(
            symptom.text,
            "The collector of traces at http://collector.invalid:4318 cannot be asked: its name is not found. "
            "Spans are dropped.",
        )

    def test_that_speaks_something_else_is_told_as_that(self) -> None:
        with talking(lambda connection: connection.close()) as url:
            _, (symptom,) = self.look(url)
        self.assertIn("does not speak HTTP", symptom.text)

    def test_with_a_certificate_that_is_not_trusted_is_told_with_what_trusts_it(self) -> None:
        with with_certificate(names=["127.0.0.1"]) as (context, file), serving(Server(), tls=context) as collector:
            _, (symptom,) = self.look(collector.url)
            self.assertIn("its certificate is from nobody that is trusted here", symptom.text)
            self.assertIn("OTEL_EXPORTER_OTLP_CERTIFICATE", symptom.mend)
            with mock.patch.dict(os.environ, OTEL_EXPORTER_OTLP_CERTIFICATE=str(file)):
                self.assertEqual(self.look(collector.url)[1], [])

    def test_with_a_certificate_that_is_over_or_anothers_is_told_as_that(self) -> None:
        for names, expired, told in (
            (["127.0.0.1"], True, "its certificate is over"),
            (["other.example.com"], False, "made out to another name"),
        ):
            with (
                self.subTest(told),
                with_certificate(names=names, expired=expired) as (context, file),
                serving(Server(), tls=context) as collector,
                mock.patch.dict(os.environ, OTEL_EXPORTER_OTLP_CERTIFICATE=str(file)),
            ):
                _, (symptom,) = self.look(collector.url)
                self.assertIn(told, symptom.text)


class SentryTests(SimpleTestCase):
    def look(self, address: str) -> tuple[str, list[Symptom]]:
        """Return what is found for a DSN at ``address``, ``scheme://host:port``."""
        scheme, _, host = address.partition("://")
        with (
            override_settings(SENTRY_DSN=address and f"{scheme}://{KEY}:MARKER-old@{host}/MARKER/1"),
            mock.patch.object(collectors, "SECONDS", 0.5),
            everything_logged() as streams,
        ):
            fact, symptoms = collectors.errors_can_be_reported(NOW)
        self.assertEqual([stream.getvalue() for stream in streams.values()], ["", ""])
        self.assertNotIn("MARKER", f"{fact} {symptoms}")
        return fact, list(symptoms)

    def test_is_not_asked_where_there_is_none(self) -> None:
        self.assertEqual(self.look(""), ("", []))

    def test_is_asked_for_any_answer_and_not_given_the_key(self) -> None:
        for status in (200, 302, 404):
            with self.subTest(status), serving(Server(status=status)) as sentry:
                self.assertEqual(self.look(sentry.url), (f"{sentry.url} answered {status}", []))
            (seen,) = sentry.seen
            self.assertEqual((seen.method, seen.path), ("GET", "/"))
            self.assertNotIn("MARKER", str(seen))

    def test_at_what_is_no_address_is_told_as_that(self) -> None:
        _, (symptom,) = self.look("https://sentry:port")
        self.assertIn("SENTRY_DSN is no address", symptom.text)

    def test_that_is_behind_what_fails_is_told_with_its_status(self) -> None:
        with serving(Server(status=502)) as sentry:
            _, (symptom,) = self.look(sentry.url)
        self.assertEqual((symptom.level, "answers 502" in symptom.text), ("warning", True))

    def test_where_nobody_listens_is_told_as_that(self) -> None:
        address = f"http://127.0.0.1:{free_port()}"
        _, (symptom,) = self.look(address)
        self.assertEqual(
            symptom.text,
            f"Errors cannot be reported to {address}: the connection was refused, as nobody listens there.",
        )
        self.assertIn("SENTRY_DSN", symptom.mend)

    def test_whose_name_is_not_found_is_told_as_that(self) -> None:
        _, (symptom,) = self.look("https://sentry.invalid")
        self.assertIn("its name is not found", symptom.text)

    def test_that_is_silent_is_not_waited_for(self) -> None:
        with talking(say_nothing) as url:
            _, (symptom,) = self.look(url)
        self.assertIn("no answer in time", symptom.text)

    def test_is_trusted_by_the_file_that_reports_go_by(self) -> None:
        with with_certificate(names=["127.0.0.1"]) as (context, file), serving(Server(), tls=context) as sentry:
            _, (symptom,) = self.look(sentry.url)
            self.assertIn("SSL_CERT_FILE names a file", symptom.mend)
            with mock.patch.dict(os.environ, SSL_CERT_FILE=str(file)):
                self.assertEqual(self.look(sentry.url)[1], [])


class DoctorTests(TestCase):
    def test_asks_both_only_where_that_is_wished(self) -> None:
        with (
            serving(Server()) as both,
            override_settings(OTEL_EXPORTER_OTLP_ENDPOINT=both.url, SENTRY_DSN=f"http://k@127.0.0.1:{both.port}/1"),
        ):
            self.run_doctor()
            self.assertEqual(both.seen, [])
            self.assertEqual(self.run_doctor("--reach")[:3], ["reach", "trace collector", "error reports"])
            self.assertEqual([seen.method for seen in both.seen], ["POST", "GET"])

    def run_doctor(self, *options: str) -> list[str]:
        output = StringIO()
        with suppress(SystemExit):
            call_command("doctor", "--json", *options, stdout=output)
        return [check["check"] for check in json.loads(output.getvalue())["checks"]]
