"""The client of a connection against real servers that misbehave; what workers share is let through here."""

from __future__ import annotations

import base64
import gzip
import socket
import struct
import tempfile
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from typing import Any

from integrations.connectors.answers import AnswerNotJson
from integrations.connectors.client import AnswerTooLarge
from integrations.connectors.egress import Address, EgressRefused
from integrations.connectors.http import CallFailed, CallImpossible, CallTimedOut
from integrations.connectors.tries import Tries
from integrations.connectors.waits import Budget
from integrations.errors import RetryLater
from tests.integrations.connectors.clients import (
    METADATA,
    SECRET,
    ClientTestCase,
    holds_secret,
)
from tests.integrations.connectors.servers import (
    Server,
    make_certificate,
    proxying,
    serving,
    take_request,
)


class BrokenAnswerTests(ClientTestCase):
    def breaking(self, *, after: bytes = b"", reset: bool = False) -> tuple[str, list[int]]:
        calls: list[int] = []

        def talk(connection: socket.socket) -> None:
            take_request(connection)
            calls.append(1)
            connection.sendall(after)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        return self.talking(talk), calls

    def test_is_asked_for_again_where_that_is_safe(self) -> None:
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        for after, reset in (
            (b"", True),
            (b"", False),
            (b"HTTP/1.1 2", True),
            (b"nonsense\r\n\r\n", False),
            (cut, False),
        ):
            for method, key, tries in (("GET", "", 3), ("POST", "", 1), ("POST", "once", 3)):
                with self.subTest(after=after, reset=reset, method=method, key=key):
                    url, calls = self.breaking(after=after, reset=reset)
                    self.gate.told.clear()
                    with self.assertRaises(CallFailed):
                        self.client_of(url).request(method, "/a", idempotency_key=key)
                    self.assertEqual((len(calls), len(self.gate.told)), (tries, tries))
                    self.assertTrue(all(isinstance(told, str) for told in self.gate.told), self.gate.told)

    def test_that_drips_ends_with_the_time_of_one_try(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(60):
                connection.sendall(b"x")
                time.sleep(0.05)

        began = time.monotonic()
        with self.assertRaises(CallFailed):
            self.client_of(self.talking(talk), timeout=0.3, tries=Tries(1)).get()
        self.assertLess(time.monotonic() - began, 1.5)

    def test_that_does_not_come_is_waited_for_as_long_as_a_silence_may_be(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.recv(1)

        began = time.monotonic()
        with self.assertRaises(CallTimedOut):
            self.client_of(self.talking(talk), read_timeout=0.2, timeout=20, tries=Tries(1)).get()
        self.assertLess(time.monotonic() - began, 2)

    def test_without_an_end_is_an_error_and_shows_the_system_well(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 1_000_000)

        with self.assertRaises(AnswerTooLarge):
            self.client_of(self.talking(talk)).get()
        self.assertEqual(self.gate.told, [200])

    def test_that_was_compressed_unasked_is_left_packed(self) -> None:
        packed = gzip.compress(b'{"id": 7}')
        server = self.server(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

        answer = self.client_of(server.url).get()

        self.assertEqual((answer.content, server.seen[0].headers["accept-encoding"]), (packed, "identity"))
        with self.assertRaises(AnswerNotJson):
            answer.json()


class WaitTests(ClientTestCase):
    def test_is_told_to_the_others_in_both_forms_of_retry_after(self) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=900)
        forms = ("900", moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        for asked, value in product((408, 425, 429, 500, 503), forms):
            with self.subTest(status=asked, value=value):
                self.gate.told.clear()
                server = self.server(status=asked, headers={"Retry-After": value})
                with self.assertRaises(RetryLater):
                    self.client_of(server.url).post("/a")
                [(status, seconds)] = self.gate.told
                self.assertEqual(status, asked)
                self.assertAlmostEqual(seconds, 900, delta=2)

    def test_is_read_from_what_is_left_of_the_budget(self) -> None:
        for headers in (
            {"RateLimit-Remaining": "3", "RateLimit-Reset": "20"},
            {"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "20"},
            {"RateLimit": '"default";r=3;t=20'},
        ):
            with self.subTest(headers=headers):
                self.gate.budgets.clear()
                self.client_of(self.server(headers=headers).url).get()
                self.assertEqual(self.gate.budgets, [Budget(3, timedelta(seconds=20))])


class RedirectTests(ClientTestCase):
    def test_are_answers_unless_the_connection_follows_them(self) -> None:
        server = self.server(status=302, headers={"Location": METADATA})

        self.assertEqual(self.client_of(server.url).get().status_code, 302)

    def test_lead_to_no_guarded_address(self) -> None:
        for location in (METADATA, "http://[::ffff:169.254.169.254]/", "http://10.0.0.1/", "//169.254.169.254/x"):
            with self.subTest(location=location), self.assertRaises(EgressRefused):
                self.client_of(self.server(status=302, headers={"Location": location}).url, follow_redirects=True).get()

    def test_carry_no_credentials_to_another_host(self) -> None:
        for auth, settings in (
            ("bearer", {}),
            ("header", {"name": "X-Vendor"}),
            ("query", {"name": "key"}),
        ):
            with self.subTest(auth=auth):
                other = self.server()
                first = self.server(status=307, headers={"Location": f"{other.url}/there"})
                client = self.client_of(
                    first.url,
                    auth=auth,
                    auth_settings=settings,
                    credentials={"token": SECRET, "value": SECRET},
                    follow_redirects=True,
                )
                client.get("/here", headers={"X-Api-Key": SECRET, "X-Plain": "1"})

                self.assertTrue(holds_secret(first.seen[0]))
                self.assertFalse(holds_secret(other.seen[0]))
                self.assertEqual((other.seen[0].path, other.seen[0].headers["x-plain"]), ("/there", "1"))

    def test_are_followed_by_calls_that_read_and_five_times_at_most(self) -> None:
        server = self.server(status=302, headers={"Location": "/again"})
        client = self.client_of(server.url, follow_redirects=True)

        self.assertEqual(client.post("/a", json={}).status_code, 302)
        with self.assertRaises(CallImpossible):
            client.get("/a")
        self.assertEqual(len(server.seen), 1 + 6)


class TlsTests(ClientTestCase):
    def context(self, name: str, *, expired: bool = False) -> Any:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        return make_certificate(folder, names=[name], expired=expired)

    def test_has_to_verify(self) -> None:
        for what, name, expired, is_trusted in (
            ("self-made", "127.0.0.1", False, False),
            ("another name", "other.example.com", False, True),
            ("expired", "127.0.0.1", True, True),
        ):
            with self.subTest(what=what):
                mine, trusting = self.context(name, expired=expired)
                server = self.enterContext(serving(Server(), tls=mine))
                client = self.client_of(server.url, exchange={"ssl_context": trusting} if is_trusted else {})
                with self.assertRaisesMessage(CallFailed, "CERTIFICATE_VERIFY_FAILED"):
                    client.post("/a")
                self.assertEqual(server.seen, [])

    def test_is_not_left_by_a_redirect(self) -> None:
        mine, trusting = self.context("127.0.0.1")
        plain = self.server()
        server = self.enterContext(serving(Server(status=302, headers={"Location": plain.url}), tls=mine))

        answer = self.client_of(server.url, exchange={"ssl_context": trusting}, follow_redirects=True).get()

        self.assertEqual((answer.status_code, plain.seen), (302, []))


class ProxyTests(ClientTestCase):
    def test_is_asked_with_its_own_credentials_and_sees_none_of_the_systems(self) -> None:
        mine, trusting = make_certificate(Path(self.enterContext(tempfile.TemporaryDirectory())), names=["127.0.0.1"])
        server = self.enterContext(serving(Server(), tls=mine))
        proxy = self.enterContext(proxying("hub:proxy-secret"))
        client = self.client_of(
            server.url,
            exchange={"ssl_context": trusting},
            auth="bearer",
            credentials={"token": SECRET, "proxy_username": "hub", "proxy_password": "proxy-secret"},
            proxy=proxy.url,
        )

        self.assertEqual(client.get("/a").status_code, 200)

        self.assertEqual(len(proxy.asked), 1)
        self.assertIn(f"CONNECT 127.0.0.1:{server.port}", proxy.asked[0])
        self.assertNotIn(SECRET, proxy.asked[0])
        self.assertEqual(server.seen[0].headers["authorization"], f"Bearer {SECRET}")
        self.assertNotIn("proxy-authorization", server.seen[0].headers)

    def test_that_refuses_is_a_failure_whose_text_repeats_nothing(self) -> None:
        proxy = self.enterContext(proxying("hub:proxy-secret"))
        credentials = {"proxy_username": "hub", "proxy_password": "wrong-password"}
        client = self.client_of("https://127.0.0.1:9", credentials=credentials, proxy=proxy.url)

        with self.assertRaisesMessage(CallFailed, "answered 407") as caught:
            client.post("/a")

        shown = f"{caught.exception} {self.kept} {self.gate.told}"
        self.assertNotIn("Basic", shown)
        self.assertNotIn(base64.b64encode(b"hub:wrong-password").decode(), shown)
        self.assertEqual(len(proxy.asked), 3)

    def test_is_reached_only_where_the_connection_may_reach(self) -> None:
        proxy = self.enterContext(proxying())
        with self.assertRaises(EgressRefused):
            self.client_of("https://api.example.com", proxy=proxy.url, allow=()).get()
        self.assertEqual(proxy.asked, [])


class NameTests(ClientTestCase):
    def test_is_looked_up_and_judged_at_each_call(self) -> None:
        server = self.server()
        answers = [["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1"]]

        def resolve(_host: str, _port: int, _timeout: float) -> list[Address]:
            return [ip_address(text) for text in answers.pop(0)]

        client = self.client_of(f"http://crm.example.com:{server.port}", exchange={"resolve": resolve})
        self.assertEqual(client.get().status_code, 200)
        for _ in range(2):
            with self.assertRaises(EgressRefused):
                client.get()
        self.assertEqual(len(server.seen), 1)
