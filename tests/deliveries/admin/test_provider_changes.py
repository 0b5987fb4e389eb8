"""A change of an endpoint's provider on its page, while it has live secrets."""

from __future__ import annotations

from django.test import TestCase
from django.utils import timezone

from integrations.models import Secret
from tests.deliveries.admin.endpoint_form import fields_of, page_of
from tests.deliveries.admin.people import SECRET, logged_in
from tests.factories import make_endpoint

END_FIRST = "End the live secrets first: they belong to the present provider."


class AProviderWithLiveSecrets(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("administrator")

    def test_cannot_be_changed(self) -> None:
        endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)

        page = self.client.post(page_of(endpoint), fields_of(endpoint, provider="generic_token"))

        self.assertContains(page, END_FIRST)
        endpoint.refresh_from_db()
        self.assertEqual(endpoint.provider, "generic_hmac")

    def test_cannot_be_set_to_show_the_secret_itself(self) -> None:
        endpoint = make_endpoint(slug="pay", provider="flutterwave", settings={"version": "v4"}, secret=SECRET)

        page = self.client.post(page_of(endpoint), fields_of(endpoint, settings='{"version": "v3"}'))

        self.assertContains(page, END_FIRST)

    def test_can_be_changed_once_they_have_ended(self) -> None:
        endpoint = make_endpoint(slug="shop", provider="generic_hmac", secret=SECRET)
        Secret.objects.update(expires_at=timezone.now())

        answer = self.client.post(page_of(endpoint), fields_of(endpoint, provider="generic_token"))

        self.assertEqual(answer.status_code, 302)
