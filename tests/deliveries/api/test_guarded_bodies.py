"""Bodies that are not everybody's to read: those that are stored encrypted, and those nobody can mask any more."""

from __future__ import annotations

from deliveries.models import Event
from deliveries.models.sealing import sealed_columns
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_endpoint, make_event

URL = f"{API}/events/"
BODY = b'{"iban": "DE02", "token": "old-verification-token"}'


def encrypted(provider: str, **values: object) -> Event:
    columns = sealed_columns(
        headers={},
        query_string="",
        body=BODY,
        content_type="application/json",
        secret_headers=(),
        secret_parameters=(),
        encrypt_body=True,
    )
    return make_event(make_endpoint(provider=provider, **values), **columns)


class ABody(ApiTestCase):
    def test_that_is_stored_encrypted_is_for_those_who_may_set_secrets(self) -> None:
        event = encrypted("github", sensitive=True)
        operator = client_of(make_user("olga", role="operator"))

        self.assert_error(operator.get(f"{URL}{event.pk}/body/"), 403, "permission_denied")
        self.assertEqual(self.client.get(f"{URL}{event.pk}/body/").content, BODY)


class AnEventOfAProviderThatIsNotInstalled(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.event = make_event(make_endpoint(slug="old", provider="slack"), body=BODY, provider="no-longer-there")

    def test_shows_no_payload_as_nobody_knows_what_to_mask(self) -> None:
        self.assertIsNone(self.client.get(f"{URL}{self.event.pk}/").json()["payload"])
        self.assertIsNone(self.client.get(URL).json()["results"][0]["payload"])

    def test_keeps_its_body_from_who_may_not_set_secrets(self) -> None:
        operator = client_of(make_user("olga", role="operator"))

        self.assert_error(operator.get(f"{URL}{self.event.pk}/body/"), 403, "permission_denied")
        self.assertEqual(self.client.get(f"{URL}{self.event.pk}/body/").content, BODY)
