"""`http.forward` against a real server."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from django.core.exceptions import ValidationError
from django.test import SimpleTestCase, override_settings

from integrations.connectors.answers import AnswerNotSuccessful, summary
from integrations.connectors.egress import EgressRefused
from integrations.connectors.http import CallFailed, CallTimedOut, Reply
from integrations.connectors.waits import LONGEST_WAIT, retry_after
from integrations.contracts import Context, InboundEvent, case_insensitive
from integrations.errors import RetryLater
from integrations.handlers import handlers
from integrations.validation import validate_handler_config
from tests.integrations.connectors.servers import Server, serving, take_request, talking

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)

EVENT = InboundEvent(
    id="0196f0a0-0000-7000-8000-000000000001",
    endpoint="github",
    provider="github",
    verdict="verified",
    event_id="72d3162e",
    event_type="release.published",
    received_at=NOW,
    content_type="application/json",
    headers=case_insensitive(
        {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": "999",
            "Host": "hub.example",
            "Connection": "close, X-Drop",
            "X-Drop": "1",
            "Authorization": "Bearer t0ken",
            "X-GitHub-Event": "release",
            "X-Latin": "caf\u00e9",
        }
    ),
    body=b'{"a": "\xc3\xa9"}\n\x00',
    payload=None,
)


class Recorder:
    """A journal that keeps what it is given in memory."""

    def __init__(self) -> None:
        self.answers: list[Mapping[str, Any]] = []
        self.calls: list[Mapping[str, Any]] = []

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        raise AssertionError("nothing to log")

    def once(self, key: str, run: Any) -> Any:
        return run()

    async def aonce(self, key: str, run: Any) -> Any:
        return await run()

    def response(self, summary: Mapping[str, Any]) -> None:
        self.answers.append(summary)

    def sent(self, call: Mapping[str, Any]) -> None:
        self.calls.append(call)

    def emit(self, event_type: str, payload: Any, endpoint: str) -> None:
        raise AssertionError("nothing to emit")


@override_settings(HUB_EGRESS_ALLOW=[ip_network("127.0.0.0/8")])
class ForwardTests(SimpleTestCase):
    def setUp(self) -> None:
        self.journal = Recorder()

    def forward(
        self,
        url: str,
        *,
        event: InboundEvent = EVENT,
        timeout_seconds: float = 5,
        config_seconds: float | None = None,
        **config: Any,
    ) -> None:
        if config_seconds is not None:
            config["timeout_seconds"] = config_seconds
        context = Context(
            config={"url": url, **config},
            delivery_id="0196f0a0-0000-7000-8000-00000000000d",
            idempotency_key="0196f0a0-0000-7000-8000-00000000000e",
            route="to the build server",
            attempt=3,
            timeout_seconds=timeout_seconds,
            deadline=datetime.now(UTC) + timedelta(seconds=timeout_seconds),
            journal=self.journal,
        )
        handlers["http.forward"].run(event, context)

    def test_passes_the_query_string_on_where_it_is_wanted(self) -> None:
        event = replace(EVENT, query_string="a=%C3%A9&b=1+2&b=")
        with serving(Server()) as server:
            self.forward(f"{server.url}/in", event=event)
            self.forward(f"{server.url}/in", event=event, query_string=True)
            self.forward(f"{server.url}/in?x=1", event=event, query_string=True)
            self.forward(f"{server.url}/in", query_string=True)

        paths = [request.path for request in server.seen]
        self.assertEqual(paths, ["/in", "/in?a=%C3%A9&b=1+2&b=", "/in?x=1&a=%C3%A9&b=1+2&b=", "/in"])

    def test_sends_the_raw_body_with_its_content_type(self) -> None:
        with serving(Server()) as server:
            self.forward(f"{server.url}/in?x=1")

        [seen] = server.seen
        self.assertEqual((seen.method, seen.path, seen.body), ("POST", "/in?x=1", EVENT.body))
        self.assertEqual(seen.headers["content-type"], "application/json; charset=utf-8")
        self.assertEqual(seen.headers["content-length"], str(len(EVENT.body)))

    def test_says_which_event_delivery_and_attempt_it_is(self) -> None:
        with serving(Server()) as server:
            self.forward(server.url)

        headers = server.seen[0].headers
        self.assertEqual(headers["x-hub-endpoint"], "github")
        self.assertEqual(headers["x-hub-event-id"], EVENT.id)
        self.assertEqual(headers["x-hub-event-type"], "release.published")
        self.assertEqual(headers["x-hub-delivery-id"], "0196f0a0-0000-7000-8000-00000000000d")
        self.assertEqual(headers["idempotency-key"], "0196f0a0-0000-7000-8000-00000000000e")
        self.assertEqual(headers["x-hub-attempt"], "3")

    def test_passes_no_received_header_on_that_is_not_named(self) -> None:
        with serving(Server()) as server:
            self.forward(server.url)

        headers = server.seen[0].headers
        self.assertNotIn("authorization", headers)
        self.assertNotIn("x-github-event", headers)
        self.assertEqual(headers["host"], server.url.removeprefix("http://"))

    def test_passes_named_headers_on_whatever_their_case_and_bytes(self) -> None:
        with serving(Server()) as server:
            self.forward(server.url, headers=["x-github-event", "AUTHORIZATION", "X-Latin", "X-Not-There"])

        headers = server.seen[0].headers
        self.assertEqual(headers["x-github-event"], "release")
        self.assertEqual(headers["authorization"], "Bearer t0ken")
        self.assertEqual(headers["x-latin"], "caf\u00e9")
        self.assertNotIn("x-not-there", headers)

    def test_never_passes_on_what_belongs_to_the_connection(self) -> None:
        with serving(Server()) as server:
            self.forward(server.url, headers=["Host", "Content-Length", "Connection", "X-Drop"])

        headers = server.seen[0].headers
        self.assertEqual(headers["host"], server.url.removeprefix("http://"))
        self.assertEqual(headers["content-length"], str(len(EVENT.body)))
        self.assertNotIn("x-drop", headers)

    def test_passes_every_header_on_where_that_is_wanted_but_those_of_the_connection(self) -> None:
        with serving(Server()) as server:
            self.forward(server.url, all_headers=True)

        headers = server.seen[0].headers
        self.assertEqual(headers["authorization"], "Bearer t0ken")
        self.assertEqual(headers["x-github-event"], "release")
        self.assertEqual(headers["host"], server.url.removeprefix("http://"))
        self.assertEqual(headers["content-length"], str(len(EVENT.body)))
        self.assertEqual(headers["accept-encoding"], "identity")
        self.assertNotIn("x-drop", headers)
        self.assertEqual(headers["x-hub-attempt"], "3")

    def test_cannot_be_made_to_send_headers_by_an_event_type(self) -> None:
        event = replace(EVENT, event_type="a\r\nX-Evil: 1\u2028\u00e9")
        with serving(Server()) as server:
            self.forward(server.url, event=event)

        self.assertNotIn("x-evil", server.seen[0].headers)
        self.assertEqual(server.seen[0].headers["x-hub-event-type"], "a%0D%0AX-Evil: 1%E2%80%A8%C3%A9")

    def test_sends_get_without_a_body(self) -> None:
        with serving(Server()) as server:
            self.forward(server.url, method="GET")

        self.assertEqual((server.seen[0].method, server.seen[0].body), ("GET", b""))

    def test_records_the_answer(self) -> None:
        with serving(
            Server(status=202, headers={"X-Id": "7", "Set-Cookie": "s=s3cret"}, body="gr\u00fcn".encode())
        ) as server:
            self.forward(server.url)

        [answer] = self.journal.answers
        self.assertEqual((answer["status"], answer["body"], answer["body_is_whole"]), (202, "gr\u00fcn", True))
        self.assertEqual(answer["headers"]["x-id"], "7")
        self.assertEqual(answer["headers"]["set-cookie"], "••••••")
        self.assertNotIn("s3cret", repr(answer))
        self.assertGreaterEqual(answer["duration_ms"], 0)

    def test_fails_and_records_any_answer_but_2xx(self) -> None:
        for status in (300, 304, 400, 401, 404, 410, 429, 500, 503):
            with self.subTest(status), serving(Server(status=status, body=b"")) as server:
                with pytest.raises(AnswerNotSuccessful) as failure:
                    self.forward(server.url)
                self.assertEqual(failure.value.status, status)
                self.assertEqual(self.journal.answers[-1]["status"], status)

    def test_does_not_follow_a_redirect_to_the_metadata_service(self) -> None:
        with (
            serving(Server(status=307, headers={"Location": "http://169.254.169.254/"})) as server,
            pytest.raises(AnswerNotSuccessful, match="answered 307; redirects are not followed"),
        ):
            self.forward(server.url)
        self.assertEqual(len(server.seen), 1)

    def test_retries_no_sooner_than_the_answer_asks(self) -> None:
        for status in (408, 425, 429, 500, 502, 503, 504):
            with self.subTest(status), serving(Server(status=status, headers={"Retry-After": "120"})) as server:
                with pytest.raises(RetryLater) as later:
                    self.forward(server.url)
                self.assertEqual(later.value.after, timedelta(seconds=120))

    def test_ends_before_the_routes_timeout(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.recv(1_000_000)
            connection.recv(1)

        for config in ({}, {"config_seconds": 60}):
            with self.subTest(config), talking(talk) as url:
                started = time.monotonic()
                with pytest.raises(CallTimedOut):
                    self.forward(url, timeout_seconds=0.5, **config)
                self.assertLess(time.monotonic() - started, 0.5)

    def test_ends_at_its_own_timeout_if_that_is_sooner(self) -> None:
        with talking(lambda connection: time.sleep(0.5)) as url:
            started = time.monotonic()
            with pytest.raises(CallTimedOut):
                self.forward(url, timeout_seconds=30, config_seconds=0.2)
            self.assertLess(time.monotonic() - started, 0.5)

    def test_fails_if_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(CallFailed):
            self.forward(f"http://127.0.0.1:{port}/")
        self.assertEqual(self.journal.answers, [])

    @override_settings(HUB_EGRESS_ALLOW=[])
    def test_gives_up_on_a_private_address(self) -> None:
        with serving(Server()) as server, pytest.raises(EgressRefused):
            self.forward(server.url)
        self.assertEqual(server.seen, [])


def reply(status: int = 200, *, body: bytes = b"", is_whole: bool = True, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, httpx.Headers(named), body, is_whole, 0.25)


class TestARecordedAnswer:
    def test_has_bytes_that_are_no_text_as_base64(self) -> None:
        for body in (b"\xff\xfe", b"a\x00b", b"caf\xc3"):
            kept = summary(reply(body=body))
            assert kept["body_encoding"] == "base64"
            assert base64.b64decode(kept["body"]) == body

    def test_leaves_out_a_character_that_the_limit_cut_in_two(self) -> None:
        kept = summary(reply(body="ab\u00e9".encode()[:3], is_whole=False))
        assert (kept["body"], kept["body_encoding"], kept["body_is_whole"]) == ("ab", "text", False)

    def test_masks_credentials(self) -> None:
        headers = {
            "Set_Cookie": "a",
            "Authorization": "a",
            "X_Api_Key": "a",
            "X_CSRF_Token": "a",
            "Client_Secret": "a",
            "Location": "https://a.example/cb?code=a",
            "ETag": "b",
        }
        kept = summary(reply(**headers))["headers"]
        assert {
            kept[name] for name in ("set-cookie", "authorization", "x-api-key", "x-csrf-token", "client-secret")
        } == {"••••••"}
        assert kept["location"] == "https://a.example/cb"
        assert kept["etag"] == "b"

    def test_is_bounded(self) -> None:
        headers = {f"h{number}": "x" * 5000 for number in range(200)}
        kept = summary(reply(**headers))["headers"]
        assert len(kept) == 50
        assert max(len(value) for value in kept.values()) == 300


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("120", timedelta(seconds=120)),
            (" 1 ", timedelta(seconds=1)),
            ("99999999", LONGEST_WAIT),
            (format_datetime(NOW + timedelta(minutes=5), usegmt=True), timedelta(minutes=5)),
            (format_datetime(NOW + timedelta(days=400), usegmt=True), LONGEST_WAIT),
            (format_datetime(NOW - timedelta(minutes=5), usegmt=True), None),
            *((text, None) for text in ("", "0", "-1", "soon", "1.5", "1e3", "9" * 400)),
            ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
            ("Wed, 21 Oct 2026", None),
        ],
    )
    def test_is_read_as_seconds_or_date_and_bounded(self, value: str, expected: timedelta | None) -> None:
        for status in (408, 425, 429, 500, 502, 503, 504):
            assert retry_after(status, {"Retry-After": value}, now=NOW) == expected

    def test_counts_only_where_it_means_a_wait(self) -> None:
        for status in (200, 301, 404, 409):
            assert retry_after(status, {"Retry-After": "120"}, now=NOW) is None


class TestAForwardsConfig:
    @pytest.mark.parametrize(
        "config",
        [
            {"url": "https://a.example"},
            {"url": "HTTP://a.example:8080/x?y=z"},
            {"url": "http://[2001:db8::1]/", "method": "PUT", "headers": ["X-GitHub-Event"], "timeout_seconds": 0.5},
        ],
    )
    def test_is_taken(self, config: dict[str, Any]) -> None:
        validate_handler_config("http.forward", config)

    @pytest.mark.parametrize(
        "config",
        [
            {},
            {"url": ""},
            {"url": "a.example"},
            {"url": "ftp://a.example"},
            {"url": "https://user:pass@a.example"},
            {"url": "https://a.example/\n"},
            {"url": "https://a.example#part"},
            {"url": "https:\\\\a.example"},
            {"url": "https://a.example", "method": "CONNECT"},
            {"url": "https://a.example", "headers": ["Host"]},
            {"url": "https://a.example", "headers": ["transfer-encoding"]},
            {"url": "https://a.example", "headers": ["X-A: 1\r\nX-B"]},
            {"url": "https://a.example", "headers": "X-A"},
            {"url": "https://a.example", "timeout_seconds": 0},
            {"url": "https://a.example", "timeout": 3},
        ],
    )
    def test_is_refused(self, config: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            validate_handler_config("http.forward", config)

    def test_is_refused_without_repeating_a_password(self) -> None:
        with pytest.raises(ValidationError) as refusal:
            validate_handler_config("http.forward", {"url": "https://user:passw0rd@a.example"})
        assert "passw0rd" not in str(refusal.value)
        assert "without user, password" in str(refusal.value)
