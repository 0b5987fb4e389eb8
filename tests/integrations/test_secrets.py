"""When a secret can be ended without losing an event."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.test import TestCase
from django.utils import timezone

from deliveries.receiving import last_use
from integrations.models import Endpoint, Secret
from integrations.models.secret import DEFAULT_RETRY_HOURS
from tests.deliveries.admin.people import logged_in
from tests.deliveries.api.cases import API, client_of, make_user
from tests.factories import make_endpoint

WINDOW = timedelta(hours=DEFAULT_RETRY_HOURS)


class SafeToRetire(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()
        self.endpoint = make_endpoint(slug="orders", provider="generic_hmac")

    def secret(self, used: datetime | None, *, made: timedelta = timedelta(days=400), label: str = "") -> Secret:
        row = Secret.objects.create(endpoint=self.endpoint, value="x" * 20, label=label)
        Secret.objects.filter(pk=row.pk).update(created_at=self.now - made, last_used_at=used)
        return Secret.objects.get(pk=row.pk)

    def is_safe(self, secret: Secret) -> bool:
        return secret.safe_to_retire(self.endpoint.secrets.live(self.now), now=self.now)

    def test_is_what_the_provider_has_left_for_longer_than_it_sends_again(self) -> None:
        old = self.secret(self.now - WINDOW - timedelta(minutes=1))
        new = self.secret(self.now)

        self.assertTrue(self.is_safe(old))
        self.assertFalse(self.is_safe(new))

    def test_is_nothing_that_a_late_retry_may_be_signed_with(self) -> None:
        old = self.secret(self.now - WINDOW + timedelta(minutes=1))
        self.secret(self.now)

        self.assertFalse(self.is_safe(old))

    def test_is_not_the_only_one(self) -> None:
        self.assertFalse(self.is_safe(self.secret(self.now - 2 * WINDOW)))

    def test_is_nothing_while_the_other_has_only_been_entered(self) -> None:
        old = self.secret(self.now - 2 * WINDOW)
        self.secret(None, made=timedelta(0))

        self.assertFalse(self.is_safe(old))

    def test_is_nothing_in_favour_of_one_that_has_ended(self) -> None:
        old = self.secret(self.now - 2 * WINDOW)
        ended = self.secret(self.now)
        Secret.objects.filter(pk=ended.pk).update(expires_at=self.now)

        self.assertFalse(self.is_safe(old))

    def test_is_one_that_was_never_used(self) -> None:
        unused = self.secret(None)
        self.secret(self.now)

        self.assertTrue(self.is_safe(unused))

    def test_goes_by_the_providers_own_window(self) -> None:
        Endpoint.objects.update(provider="github", settings={})
        old = self.secret(self.now - timedelta(hours=DEFAULT_RETRY_HOURS - 1))
        self.secret(self.now)
        hours = old.endpoint.preset.retry_hours

        self.assertEqual(self.is_safe(old), hours is not None and hours < DEFAULT_RETRY_HOURS - 1)

    def test_is_shown_in_the_api_and_on_the_page(self) -> None:
        self.secret(self.now - 2 * WINDOW, label="old")
        self.secret(self.now, label="new")

        item = client_of(make_user("ada", role="viewer")).get(f"{API}/endpoints/orders/").json()
        page = logged_in("viewer").get(f"/admin/integrations/endpoint/{self.endpoint.pk}/change/")

        shown = {secret["label"]: secret["safe_to_retire"] for secret in item["secrets"]}
        self.assertEqual(shown, {"old": True, "new": False})
        self.assertContains(page, "safe to retire", count=1)

    def test_needs_the_use_to_be_noted(self) -> None:
        secret = self.secret(None)

        last_use.note(secret.pk, at=self.now)

        secret.refresh_from_db()
        self.assertEqual(secret.last_used_at, self.now)
