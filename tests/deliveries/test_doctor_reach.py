"""``manage.py doctor --reach``: whether the hub answers at its own address."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import StringIO
from ipaddress import ip_network
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone

from deliveries.doctor import reach
from deliveries.doctor.symptoms import Symptom

NOW = timezone.now()


class Silent(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def answering(status: str, *headers: tuple[str, str]) -> Callable[..., Iterable[bytes]]:
    def application(_environ: Any, start: Callable[..., Any]) -> Iterable[bytes]:
        start(status, list(headers))
        return [b""]

    return application


@override_settings(HUB_EGRESS_ALLOW=[ip_network("127.0.0.0/8")])
class ReachTests(SimpleTestCase):
    def look_at(self, application: Callable[..., Iterable[bytes]]) -> tuple[str, list[Symptom]]:
        """Return what is found where ``application`` answers."""
        with make_server("127.0.0.1", 0, application, handler_class=Silent) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                return self.look_at_port(server.server_port)
            finally:
                server.shutdown()
                thread.join()

    def look_at_port(self, port: int) -> tuple[str, list[Symptom]]:
        with override_settings(HUB_BASE_URL=f"http://127.0.0.1:{port}", ALLOWED_HOSTS=["127.0.0.1"]):
            fact, symptoms = reach.address_answers(NOW)
        return fact, list(symptoms)

    def test_finds_the_hub_itself(self) -> None:
        fact, symptoms = self.look_at(get_wsgi_application())

        self.assertEqual(symptoms, [])
        self.assertRegex(fact, r"^http://127\.0\.0\.1:\d+ answered in \d+ ms$")

    def test_names_somebody_else_at_the_address(self) -> None:
        _, (symptom,) = self.look_at(answering("200 OK"))
        self.assertIn("Something else than a hub", symptom.text)

    def test_names_a_redirect(self) -> None:
        _, (symptom,) = self.look_at(answering("301 Moved", ("Location", "https://hub.example.com/")))
        self.assertIn("301, a redirect", symptom.text)

    def test_names_an_address_where_nobody_answers(self) -> None:
        with make_server("127.0.0.1", 0, answering("200 OK")) as server:
            port = server.server_port
        _, (symptom,) = self.look_at_port(port)
        self.assertEqual((symptom.level, "does not answer" in symptom.text), ("problem", True))

    def test_calls_no_private_network_that_is_not_allowed(self) -> None:
        asked: list[Any] = []
        with override_settings(HUB_EGRESS_ALLOW=[]):
            _, (symptom,) = self.look_at(lambda environ, start: asked.append(environ) or [])
        self.assertEqual((symptom.level, asked), ("warning", []))


class DoctorTests(TestCase):
    def test_asks_its_address_only_where_that_is_wished(self) -> None:
        self.assertNotIn("reach", self.checks())
        self.assertEqual(self.checks("--reach")[0], "reach")

    def checks(self, *options: str) -> list[str]:
        output = StringIO()
        with suppress(SystemExit):
            call_command("doctor", "--json", *options, stdout=output)
        return [check["check"] for check in json.loads(output.getvalue())["checks"]]
