"""The watch over what the suite logs sees what it is there for."""

from __future__ import annotations

import logging

import structlog
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.test import RequestFactory, SimpleTestCase
from structlog.testing import capture_logs

from integrations.encryption import encrypt
from tests.log_watch import suite, texts_of

MARKER = 'a "marker" that is long enough'
log = structlog.get_logger("hub.watched")


class TheWatchTests(SimpleTestCase):
    def tearDown(self) -> None:
        suite.begin(object())  # or this test would fail, as it should

    def assert_told(self) -> None:
        self.assertEqual(suite.found(), [])
        log.warning("watched.a", text=f"and {MARKER} in between")
        logging.getLogger("somebody.else").warning("It was %s", MARKER)
        with capture_logs():
            log.warning("watched.b", text=MARKER)
        names = [name for line in suite.found() for name in ("watched.a", "It was", "watched.b") if name in line]
        self.assertEqual(set(names), {"watched.a", "It was", "watched.b"})

    def test_knows_what_is_encrypted(self) -> None:
        encrypt(f'{{"token": ["{MARKER[3:9]}", "{"x1" * 10}"]}}'.encode())
        log.warning("watched.c", text="x1" * 10)
        self.assertEqual(len(suite.found()), 1)
        suite.begin(object())
        encrypt(MARKER.encode())
        self.assert_told()

    def test_knows_passwords_right_and_wrong(self) -> None:
        User(password=make_password("another one")).check_password(MARKER)
        self.assert_told()

    def test_knows_bodies_of_webhooks(self) -> None:
        RequestFactory().post("/hooks/orders", {"customer": {"name": "x", "note": [MARKER]}}, "application/json")
        self.assert_told()

    def test_knows_queries_of_webhooks(self) -> None:
        RequestFactory().post("/hooks/orders?key=a+%22marker%22+that+is+long+enough")
        self.assert_told()

    def test_knows_headers_that_prove_who_sends(self) -> None:
        RequestFactory().get("/api/v1/events/", headers={"Authorization": MARKER})
        self.assert_told()

    def test_does_not_take_for_secret_what_lines_say_on_purpose(self) -> None:
        body = b'{"type": "payment_intent.succeeded", "id": "evt_1234567890", "note": "long enough a text", "n": [1]}'
        self.assertEqual(list(texts_of(body)), ["long enough a text"])
        self.assertEqual(list(texts_of(b"no JSON, \xff")), ["no JSON, \ufffd"])
