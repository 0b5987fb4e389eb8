"""A change of an endpoint's provider, or of how its requests are proven, while it has live secrets."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from integrations.models import Secret
from tests.deliveries.api.cases import API, ApiTestCase
from tests.factories import make_endpoint

END_FIRST = "End the live secrets first: they belong to the present provider."


class AProviderWithLiveSecrets(ApiTestCase):
    def change(self, provider: str, settings: dict[str, Any], /, **changes: Any) -> Any:
        endpoint = make_endpoint(provider=provider, settings=settings, secret="s3cret-of-orders")
        return self.client.patch(f"{API}/endpoints/{endpoint.slug}/", changes)

    def test_cannot_be_changed(self) -> None:
        for provider in ("generic_token", "generic_bearer", "generic_none", "github", "internal"):
            with self.subTest(provider=provider):
                answer = self.change("generic_hmac", {}, provider=provider)

                fields = self.assert_error(answer, 400, "validation_error", "provider")["fields"]
                self.assertEqual(fields["provider"], [END_FIRST])

    def test_cannot_be_set_to_show_the_secret_itself(self) -> None:
        answer = self.change("flutterwave", {"version": "v4"}, settings={"version": "v3"})

        fields = self.assert_error(answer, 400, "validation_error", "settings")["fields"]
        self.assertEqual(fields["settings"], [END_FIRST])

    def test_takes_other_settings(self) -> None:
        for provider, settings in (
            ("generic_hmac", {"header": "X-Shop-Signature"}),
            ("generic_token", {"header": "X-Shop-Token"}),
            ("generic_token", {"placement": "query"}),
        ):
            with self.subTest(provider=provider, settings=settings):
                self.assertEqual(self.change(provider, {}, settings=settings, provider=provider).status_code, 200)

    def test_can_be_changed_once_they_have_ended(self) -> None:
        endpoint = make_endpoint(provider="generic_hmac", secret="s3cret-of-orders")
        Secret.objects.update(expires_at=timezone.now())

        answer = self.client.patch(f"{API}/endpoints/{endpoint.slug}/", {"provider": "generic_token"})

        self.assertEqual(answer.status_code, 200)
