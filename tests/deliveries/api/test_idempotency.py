"""``Idempotency-Key``: a POST that is sent twice is done once."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.core.management import call_command
from django.test import TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.execution.housekeeping import Housekeeping
from deliveries.models import Attempt, AuditEntry, Delivery, Event
from deliveries.retention import prune_answers
from integrations.api import idempotency
from integrations.models import Endpoint, Secret, StoredAnswer
from tests.deliveries.api.at_once import at_once
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_delivery, make_endpoint, make_route

URL = f"{API}/endpoints/"
NEW = {"slug": "orders", "provider": "generic_hmac", "secrets": [{"value": "s3cret-of-orders"}]}


class IdempotencyTests(ApiTestCase):
    def post(self, body: Any = NEW, *, key: str = "k-1", url: str = URL, client: Any = None) -> Any:
        return (client or self.client).post(url, body, headers={"Idempotency-Key": key})

    def test_gives_the_stored_answer_to_the_same_request(self) -> None:
        first, second = self.post(), self.post()

        self.assertEqual((first.status_code, second.status_code), (201, 201))
        self.assertEqual(second.json(), first.json())
        self.assertEqual(second["ETag"], first["ETag"])
        self.assertNotIn("Idempotency-Replayed", first)
        self.assertEqual(second["Idempotency-Replayed"], "true")
        self.assertEqual(Endpoint.objects.count(), 1)
        self.assertEqual(self.logged(), ["API: made."])

    def test_takes_the_key_quoted_or_bare_and_the_address_with_and_without_its_slash(self) -> None:
        first = self.post(key='"k-1"')

        self.assertEqual(self.post(key="k-1", url=URL.rstrip("/")).json(), first.json())

    def test_refuses_another_request_with_the_key(self) -> None:
        self.post()

        self.assert_error(self.post({**NEW, "slug": "other"}), 422, "idempotency_key_reused")
        self.assert_error(self.post(url=f"{API}/routes/"), 422, "idempotency_key_reused")
        self.assertEqual(Endpoint.objects.count(), 1)

    def test_is_each_tokens_own(self) -> None:
        self.post()

        self.assert_error(self.post(client=client_of(self.user)), 400, "validation_error", "slug")

    def test_is_another_request_once_the_caller_is_restricted_to_groups(self) -> None:
        self.post()
        restrict(self.user)

        self.assert_error(self.post(), 422, "idempotency_key_reused")

    def test_keeps_no_plain_digest_of_a_body_that_may_hold_a_secret(self) -> None:
        self.post()

        fingerprint = StoredAnswer.objects.get().fingerprint
        with override_settings(SECRET_KEY="another"):
            StoredAnswer.objects.all().delete()
            Endpoint.objects.all().delete()
            self.post()

        self.assertNotEqual(StoredAnswer.objects.get().fingerprint, fingerprint)

    def test_refuses_a_key_that_is_none(self) -> None:
        for key in ("", " ", "a b", "é", "x" * 256, '"', '""', 'a"b'):
            with self.subTest(key=key):
                self.assert_error(self.post(key=key), 400, "invalid_idempotency_key")
        self.assertFalse(Endpoint.objects.exists())

    def test_keeps_no_answer_to_what_was_refused(self) -> None:
        self.assert_error(self.post({"slug": "orders"}), 400, "validation_error", "provider")
        self.assertFalse(StoredAnswer.objects.exists())

        self.assertEqual(self.post().status_code, 201)

    def test_asks_for_the_permission_each_time(self) -> None:
        self.post()
        self.user.groups.clear()

        self.assert_error(self.post(), 403, "permission_denied")

    def test_counts_for_orders(self) -> None:
        endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret="s3cret-of-orders")
        delivery = make_delivery(make_route(endpoint), status="dead", finished_at=timezone.now())
        orders = [
            (f"{API}/deliveries/{delivery.pk}/replay/", {}, 202), (f"{API}/endpoints/shop/test/", {}, 201),
            (f"{API}/endpoints/shop/pause/", {}, 200),
            (f"{API}/endpoints/shop/secrets/", {"value": "the-next-one"}, 201),
        ]  # fmt: skip
        for number, (url, body, status) in enumerate(orders):
            with self.subTest(url=url):
                first, second = (self.post(body, key=f"o-{number}", url=url) for _ in range(2))
                self.assertEqual((first.status_code, second.status_code), (status, status), first.content)
                self.assertEqual(second.json(), first.json())
        self.assertEqual(Event.objects.exclude(pk=delivery.event_id).count(), 1)
        self.assertEqual(Secret.objects.count(), 2)
        self.assertEqual(AuditEntry.objects.changes().count(), 4)
        self.assertFalse(Attempt.objects.exists())

    def test_leaves_other_methods_alone(self) -> None:
        make_endpoint(slug="shop")
        for name in ("one", "two"):
            answer = self.client.patch(f"{URL}shop/", {"name": name}, headers={"Idempotency-Key": "k"})
            self.assertEqual(answer.json()["name"], name)
        self.assertEqual(self.client.get(URL, headers={"Idempotency-Key": "a b"}).status_code, 200)
        self.assertFalse(StoredAnswer.objects.exists())

    def test_keeps_answers_encrypted(self) -> None:
        self.post({**NEW, "name": "a-word-to-be-found"})
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT answer FROM integrations_storedanswer")
            (stored,) = cursor.fetchone()

        self.assertNotIn("a-word-to-be-found", stored)
        self.assertIn("a-word-to-be-found", StoredAnswer.objects.get().answer)

    def test_keeps_no_answer_beyond_its_bound_and_does_nothing_twice_all_the_same(self) -> None:
        with patch.object(idempotency, "MOST_CHARACTERS", 100):
            self.assertEqual(self.post().status_code, 201)
        self.assertEqual(StoredAnswer.objects.get().answer, "")

        self.assert_error(self.post(), 409, "conflict")

    def test_ends_after_a_day(self) -> None:
        self.post()
        StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))
        self.assertEqual(self.post().status_code, 201)
        StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24))

        self.assert_error(self.post(), 400, "validation_error", "slug")

    def test_is_pruned_by_the_housekeeping_and_the_command(self) -> None:
        now = timezone.now()
        for number in range(3):
            self.post({**NEW, "slug": f"s-{number}"}, key=f"k-{number}")
        StoredAnswer.objects.filter(key="k-0").update(created_at=now - timedelta(hours=25))
        self.assertEqual(prune_answers(now=now, dry_run=True), 1)
        Housekeeping().tidy_up(now)
        self.assertEqual(StoredAnswer.objects.count(), 2)

        StoredAnswer.objects.filter(key="k-1").update(created_at=now - timedelta(hours=25))
        output = io.StringIO()
        call_command("prune", stdout=output)
        self.assertIn("1 stored answer,", output.getvalue())
        self.assertEqual(StoredAnswer.objects.get().key, "k-2")


class IdempotencyRaceTests(TransactionTestCase):
    def test_runs_the_first_of_many_at_once_and_gives_all_its_answer(self) -> None:
        user = make_user("root", is_superuser=True)
        client = client_of(user)
        token = client._credentials
        delivery = make_delivery(make_route(make_endpoint()), status="dead", finished_at=timezone.now())
        url = f"{API}/deliveries/{delivery.pk}/replay/"

        def ask(number: int) -> Any:
            return type(client)().post(url, {}, headers={"Idempotency-Key": "one"}, **token)

        answers = at_once(6, ask)

        self.assertEqual({answer.status_code for answer in answers}, {202})
        self.assertEqual(len({answer.content for answer in answers}), 1)
        self.assertEqual(sum("Idempotency-Replayed" in answer for answer in answers), 5)
        self.assertEqual(AuditEntry.objects.changes().count(), 1)
        self.assertEqual(Delivery.objects.get().status, "pending")
