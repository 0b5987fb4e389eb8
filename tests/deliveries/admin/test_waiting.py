from __future__ import annotations

from django.http import HttpResponse
from django.test import Client, TestCase
from django.urls import reverse
from django.utils import timezone

from deliveries import waiting
from integrations.models import Endpoint, Secret
from tests.deliveries.admin.people import logged_in
from tests.factories import make_endpoint

TOKEN = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"


class TheEndpointsPageTests(TestCase):
    def setUp(self) -> None:
        self.client = logged_in("administrator")
        self.endpoint = make_endpoint(provider="notion")

    def page(self, endpoint: Endpoint | None = None, client: Client | None = None) -> str:
        url = reverse("admin:integrations_endpoint_change", args=[(endpoint or self.endpoint).pk])
        return (client or self.client).get(url).content.decode()

    def order(self, name: str, client: Client | None = None) -> HttpResponse:
        url = reverse(f"admin:integrations_endpoint_{name}", args=[self.endpoint.pk])
        return (client or self.client).post(url, follow=True)

    def deliver(self) -> None:
        response = Client().post(
            f"/hooks/{self.endpoint.slug}", {"verification_token": TOKEN}, content_type="application/json"
        )
        self.assertEqual(response.status_code, 200)

    def test_leads_from_the_wait_to_the_live_secret(self) -> None:
        self.assertIn("Wait for the secret", self.page())
        self.assertContains(self.order("await_secret"), "waits 15 minutes")
        self.assertIn("Waiting until", self.page())

        self.deliver()

        page = self.page()
        self.assertIn("127.0.0.1", page)
        self.assertIn(TOKEN, page)  # Notion wants it entered in its own form
        self.assertFalse(Secret.objects.exists())
        self.assertContains(self.order("confirm_secret"), "is live")
        self.assertEqual(Secret.objects.get().value, TOKEN)
        self.assertNotIn(TOKEN, self.page())

    def test_drops_what_came(self) -> None:
        self.order("await_secret")
        self.deliver()

        self.order("drop_secret")

        self.assertEqual(waiting.awaited(self.endpoint, now=timezone.now()).state, "none")
        self.assertFalse(Secret.objects.exists())

    def test_says_that_there_is_nothing_to_confirm(self) -> None:
        self.assertContains(self.order("confirm_secret"), "No secret has been delivered")

    def test_offers_it_only_where_the_provider_delivers_its_secret(self) -> None:
        self.assertNotIn("Wait for the secret", self.page(make_endpoint(provider="github")))

    def test_shows_nothing_of_it_to_those_who_may_not_add_secrets(self) -> None:
        self.order("await_secret")
        self.deliver()
        for role in ("viewer", "operator"):
            client = logged_in(role)
            with self.subTest(role=role):
                self.assertNotIn(TOKEN, self.page(client=client))
                for name in ("await_secret", "confirm_secret", "drop_secret"):
                    self.assertEqual(self.order(name, client).status_code, 403)

    def test_takes_orders_by_post_alone(self) -> None:
        for name in ("await_secret", "confirm_secret", "drop_secret"):
            url = reverse(f"admin:integrations_endpoint_{name}", args=[self.endpoint.pk])
            self.assertEqual(self.client.get(url).status_code, 405)
