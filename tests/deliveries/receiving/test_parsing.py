from __future__ import annotations

import io
import socket
import time
from typing import Any

from django.test import SimpleTestCase, TestCase, override_settings

from deliveries.models import Event, Rejection
from deliveries.receiving.parsing import read_body
from deliveries.receiving.refusals import BadBody, Disconnected, PayloadTooLarge
from tests.deliveries.receiving.cases import Sender, signature, signed_endpoint


class Stream(io.BytesIO):
    """A server's input that remembers how much was read of it."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0, "a read without a size waits for the sender to be done"
        return super().read(size)


class BrokenStream:
    def read(self, size: int) -> bytes:
        raise ConnectionResetError


def environ(stream: Any, length: int | str | None = None, **more: Any) -> dict[str, Any]:
    announced = {} if length is None else {"CONTENT_LENGTH": str(length)}
    return {"wsgi.input": stream, "wsgi.input_terminated": True, **announced, **more}


class ABody(SimpleTestCase):
    def test_is_read_to_its_announced_length(self) -> None:
        stream = Stream(b"12345 and the next request")

        self.assertEqual(read_body(environ(stream, 5), limit=10), b"12345")
        self.assertEqual(stream.tell(), 5)

    def test_in_chunks_is_read_to_its_end(self) -> None:
        self.assertEqual(read_body(environ(Stream(b"x" * 600_000)), limit=600_000), b"x" * 600_000)

    def test_in_chunks_over_the_limit_is_read_no_further_than_that(self) -> None:
        stream = Stream(b"x" * 1_000_000)

        with self.assertRaises(PayloadTooLarge) as caught:
            read_body(environ(stream), limit=1000)

        self.assertEqual((stream.tell(), caught.exception.body_bytes), (1001, 1001))

    def test_without_a_length_on_a_server_that_does_not_end_it_is_empty(self) -> None:
        self.assertEqual(read_body({"wsgi.input": BrokenStream()}, limit=10), b"")

    def test_that_ends_early_is_of_a_sender_that_went_away(self) -> None:
        with self.assertRaises(Disconnected):
            read_body(environ(Stream(b"1234"), 5), limit=10)

    def test_whose_connection_breaks_is_of_a_sender_that_went_away(self) -> None:
        for length in (5, None):
            with self.assertRaises(Disconnected):
                read_body(environ(BrokenStream(), length), limit=10)

    def test_of_a_nonsensical_length_is_refused(self) -> None:
        for length in ("-1", "1.5", "0x10", "five", "+5", "1 1", "٣"):
            with self.subTest(length), self.assertRaises(BadBody):
                read_body(environ(Stream(b"12345"), length), limit=10)

    def test_of_an_absurd_length_is_too_large(self) -> None:
        with self.assertRaises(PayloadTooLarge) as caught:
            read_body(environ(Stream(b""), "9" * 5000), limit=10)

        self.assertEqual(caught.exception.body_bytes, 2**63 - 1)


class ASlowSender(SimpleTestCase):
    def setUp(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)

    def read(self) -> bytes:
        with self.ours.makefile("rb", buffering=0) as stream:
            return read_body(environ(stream, 5, **{"gunicorn.socket": self.ours}), limit=10)

    @override_settings(HUB_BODY_SECONDS=0.3)
    def test_is_cut_off_when_its_time_is_over_and_can_still_be_answered(self) -> None:
        self.theirs.sendall(b"12")
        began = time.monotonic()

        with self.assertRaises(BadBody) as caught:
            self.read()

        self.assertEqual(caught.exception.reason, "body_too_slow")
        self.assertLess(time.monotonic() - began, 5)
        self.ours.sendall(b"HTTP/1.1 400")
        self.assertEqual(self.theirs.recv(100), b"HTTP/1.1 400")

    @override_settings(HUB_BODY_SECONDS=0.3)
    def test_that_was_in_time_is_not_cut_off_later(self) -> None:
        self.theirs.sendall(b"12345")

        self.assertEqual(self.read(), b"12345")

        time.sleep(1.2)
        self.theirs.sendall(b"next")
        self.assertEqual(self.ours.recv(100), b"next")


class AChunkedRequest(Sender, TestCase):
    def test_is_stored_whole(self) -> None:
        endpoint = signed_endpoint()
        body = b'{"in": "chunks"}'

        response = self.client.generic(
            "POST",
            f"/hooks/{endpoint.slug}",
            b"",
            "application/json",
            headers={"X-Signature": signature(body)},
            **{"CONTENT_LENGTH": "", "wsgi.input": Stream(body), "wsgi.input_terminated": True},
        )

        self.assertEqual(response.status_code, 200)
        self.assertEqual(Event.objects.get().body, body)

    def test_of_a_sender_that_went_away_leaves_nothing(self) -> None:
        endpoint = signed_endpoint()

        with self.assertNoLogs("deliveries", "WARNING"):
            response = self.client.generic(
                "POST",
                f"/hooks/{endpoint.slug}",
                b"",
                "application/json",
                **{"CONTENT_LENGTH": "5", "wsgi.input": Stream(b"12")},
            )

        self.assertEqual((response.status_code, response.json()), (400, {"error": "malformed_payload"}))
        self.assertEqual((Event.objects.count(), Rejection.objects.count()), (0, 0))
