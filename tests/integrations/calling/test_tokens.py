"""Access tokens: fetched by one, used by all, and what comes of one that is not taken."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

from django.db import connections
from django.utils import timezone

from integrations.calling.tokens import TokenRefused
from integrations.connectors.egress import EgressRefused
from integrations.connectors.http import CallFailed
from integrations.models import Circuit, Connection, ConnectionHealth, ConnectionToken
from tests.integrations.calling.systems import Authority, Sent, System
from tests.integrations.calling.test_client import CallingTestCase


class TokensTestCase(CallingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()
        self.tokens = self.enterContext(System(answering=self.authority.answer))
        self.withdrawn: set[str] = set()
        self.system.answering = self.answer

    def answer(self, sent: Sent) -> tuple[int, Any]:
        """Answer as an API whose operator has withdrawn some tokens."""
        token = sent.headers["Authorization"].removeprefix("Bearer ")
        return (401, {"you": token}) if token in self.withdrawn else (200, {"you": token})

    def connection(self, auth: str = "oauth2_client_credentials", **values: Any) -> Connection:
        settings = {"token_url": f"{self.tokens.url}/token", "client_id": "the hub", **values.pop("auth_settings", {})}
        credentials = {"client_secret": "hush/hush"}
        if auth == "oauth2_refresh_token":
            credentials["refresh_token"] = "refresh-0"
        usual = {"auth": auth, "auth_settings": settings, "credentials": credentials}
        return self.system.connection("crm", **{**usual, **values})

    def used(self) -> list[str]:
        return [sent.headers["Authorization"].removeprefix("Bearer ") for sent in self.system.requests]


class TokenTests(TokensTestCase):
    def test_is_fetched_once_and_used_by_all_attempts(self) -> None:
        connection = self.connection(auth_settings={"scope": "read write", "audience": "https://api.example.com"})

        for _ in range(3):
            self.client_of(connection).get()

        self.assertEqual(self.used(), ["access-1"] * 3)
        wanted = {
            "grant_type": "client_credentials",
            "scope": "read write",
            "audience": "https://api.example.com",
            "client_id": "the%20hub",
            "client_secret": "hush%2Fhush",
        }
        self.assertEqual(self.authority.asked, [wanted])

    def test_is_asked_for_with_the_secret_in_the_body_where_the_server_wants_that(self) -> None:
        self.client_of(self.connection(auth_settings={"client_auth": "body"})).get()

        [form] = self.authority.asked
        self.assertEqual((form["client_id"], form["client_secret"]), ("the hub", "hush/hush"))
        self.assertNotIn("Authorization", self.tokens.requests[0].headers)

    def test_is_fetched_anew_shortly_before_it_runs_out(self) -> None:
        connection = self.connection()
        self.client_of(connection).get()
        ConnectionToken.objects.update(expires_at=timezone.now() + timedelta(seconds=5))

        self.client_of(connection).get()

        self.assertEqual(self.used(), ["access-1", "access-2"])

    def test_lasts_an_hour_if_the_server_says_nothing_of_it(self) -> None:
        for value in (None, "soon", -1, True, 1e12):
            with self.subTest(value=value):
                ConnectionToken.objects.all().delete()
                Connection.objects.all().delete()
                self.authority.expires_in = value
                self.client_of(self.connection()).get()
                left = ConnectionToken.objects.get().expires_at - timezone.now()
                self.assertAlmostEqual(left.total_seconds(), 3600, delta=30)

    def test_is_masked_where_an_answer_repeats_it(self) -> None:
        self.client_of(self.connection()).get()

        self.assertNotIn("access-1", str(self.kept))
        self.assertIn("you", self.kept[0]["body"])

    def test_is_stored_encrypted(self) -> None:
        self.client_of(self.connection("oauth2_refresh_token")).get()

        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT access_token, refresh_token FROM integrations_connectiontoken")
            stored = str(cursor.fetchall())
        self.assertNotIn("access-1", stored)
        self.assertNotIn("refresh-1", stored)

    def test_is_asked_for_by_one_of_many_workers(self) -> None:
        self.authority.seconds = 0.1
        connection = self.connection("oauth2_refresh_token")

        answers = in_threads(6, lambda: self.client_of(connection).get().json()["you"])

        self.assertEqual(answers, ["access-1"] * 6)
        self.assertEqual(len(self.authority.asked), 1)

    def test_is_fetched_by_another_if_a_worker_died_over_it(self) -> None:
        connection = self.connection()
        now = timezone.now()
        ConnectionToken.objects.take(connection, holder="a dead worker", now=now, lease=timedelta(seconds=0.5))

        self.assertEqual(self.client_of(connection).get().json(), {"you": "access-1"})
        self.assertGreater(timezone.now() - now, timedelta(seconds=0.4))

    def test_is_not_fetched_from_a_private_address(self) -> None:
        connection = self.connection(auth_settings={"token_url": "http://169.254.169.254/token"})

        with self.assertRaises(EgressRefused):
            self.client_of(connection).get()
        self.assertEqual(self.system.requests, [])


class RefreshTests(TokensTestCase):
    def test_goes_on_from_the_latest_refresh_token(self) -> None:
        connection = self.connection("oauth2_refresh_token")
        for _ in range(3):
            self.client_of(connection).get()
            ConnectionToken.objects.update(expires_at=timezone.now())

        self.assertEqual(
            [form["refresh_token"] for form in self.authority.asked], ["refresh-0", "refresh-1", "refresh-2"]
        )

    def test_begins_anew_with_credentials_that_are_entered_anew(self) -> None:
        connection = self.connection("oauth2_refresh_token")
        self.client_of(connection).get()
        self.authority.refresh = "entered-anew"
        connection.credentials = {"client_secret": "hush/hush", "refresh_token": "entered-anew"}
        connection.save()

        self.client_of(connection).get()

        self.assertEqual([form["refresh_token"] for form in self.authority.asked], ["refresh-0", "entered-anew"])


class RefusedTests(TokensTestCase):
    def test_token_is_fetched_anew_once(self) -> None:
        connection = self.connection()
        self.client_of(connection).get()
        self.withdrawn = {"access-1"}

        self.assertEqual(self.client_of(connection).post("/a").json(), {"you": "access-2"})
        self.assertEqual(self.used(), ["access-1", "access-1", "access-2"])

    def test_call_is_an_answer_if_a_new_token_is_refused_too(self) -> None:
        self.withdrawn = {"access-1", "access-2"}

        self.assertEqual(self.client_of(self.connection()).get().status_code, 401)
        self.assertEqual(self.used(), ["access-1", "access-2"])

    def test_token_closes_a_circuit_that_was_open(self) -> None:
        """The system has answered: that it wants another token does not make it unwell."""
        connection = self.connection()
        self.client_of(connection).get()
        ConnectionHealth.objects.update(open_until=timezone.now(), failures=5)
        self.withdrawn = {"access-1"}

        self.assertEqual(self.client_of(connection).get().json(), {"you": "access-2"})
        self.assertEqual(ConnectionHealth.objects.get().circuit(timezone.now()), Circuit.CLOSED)

    def test_token_is_left_alone_if_another_has_fetched_a_new_one(self) -> None:
        connection = self.connection()
        stale = self.client_of(connection)
        stale.get()
        tokens = stale._tokens
        ConnectionToken.objects.update(expires_at=timezone.now())
        self.client_of(connection).get()

        tokens.refused("access-1")

        self.assertEqual(ConnectionToken.objects.get().access_token, "access-2")

    def test_credentials_end_as_a_dead_letter_whose_text_holds_none(self) -> None:
        connection = self.connection(credentials={"client_secret": "wrong-secret"})

        with self.assertRaisesMessage(TokenRefused, "the authorization server answered 401 invalid_client") as caught:
            self.client_of(connection).get()

        self.assertNotIn("wrong-secret", f"{caught.exception!r} {self.kept}")
        self.assertEqual(self.system.requests, [])

    def test_is_another_thing_than_a_server_that_is_unwell(self) -> None:
        self.authority.status = 503

        with self.assertRaisesMessage(CallFailed, "the authorization server answered 503"):
            self.client_of(self.connection()).get()
        self.assertNotIn("hush", str(self.kept))
        self.assertEqual(ConnectionHealth.objects.get().failures, len(self.authority.asked))


def in_threads(count: int, run: Any) -> list[Any]:
    """Return what ``run()`` returned, or the exception that it raised, in each of ``count`` threads at once."""
    results: list[Any] = []
    barrier = threading.Barrier(count)

    def one() -> None:
        barrier.wait()
        try:
            results.append(run())
        except Exception as exc:
            results.append(exc)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
