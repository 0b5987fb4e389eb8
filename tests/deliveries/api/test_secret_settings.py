"""Settings that are credentials, at ``/endpoints/``."""

from __future__ import annotations

from integrations.masking import MASK
from integrations.models import Endpoint
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_endpoint

URL = f"{API}/endpoints/"
TOKEN = "verify-token-of-this-test-5c1e"


class SecretSettingTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="wa", provider="meta", settings={"verify_token": TOKEN})
        self.url = f"{URL}wa/"

    def stored(self) -> object:
        return Endpoint.objects.get(pk=self.endpoint.pk).settings

    def test_are_masked_for_everybody(self) -> None:
        for role in ("viewer", "operator", "administrator"):
            client = client_of(make_user(f"a-{role}", role=role))
            for url in (URL, self.url):
                with self.subTest(role=role, url=url):
                    response = client.get(url)

                    self.assertNotContains(response, TOKEN)
                    item = response.json() if url == self.url else response.json()["results"][0]
                    self.assertEqual(item["settings"], {"verify_token": MASK})

    def test_are_masked_in_the_answer_to_who_enters_them(self) -> None:
        made = self.client.post(URL, {"slug": "ig", "provider": "meta", "settings": {"verify_token": TOKEN}})
        changed = self.client.patch(self.url, {"settings": {"verify_token": f"new-{TOKEN}"}})

        self.assertEqual((made.status_code, changed.status_code), (201, 200))
        for response in (made, changed):
            self.assertEqual(response.json()["settings"], {"verify_token": MASK})
        self.assertEqual(Endpoint.objects.get(slug="ig").settings, {"verify_token": TOKEN})
        self.assertEqual(self.stored(), {"verify_token": f"new-{TOKEN}"})
        self.assertEqual(self.logged(), ["API: made.", "API: changed settings."])

    def test_stay_when_what_was_shown_is_sent_back(self) -> None:
        shown = self.client.get(self.url).json()

        response = self.client.patch(self.url, {"provider": "meta", "settings": shown["settings"], "name": "WhatsApp"})

        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(self.stored(), {"verify_token": TOKEN})

    def test_go_when_they_are_left_out(self) -> None:
        self.assertEqual(self.client.patch(self.url, {"settings": {}}).status_code, 200)
        self.assertEqual(self.stored(), {})

    def test_are_refused_as_a_mask_that_stands_for_nothing(self) -> None:
        values = {"slug": "ig", "provider": "meta", "settings": {"verify_token": MASK}}

        self.assert_error(self.client.post(URL, values), 400, "validation_error", "settings")

    def test_are_not_carried_to_another_provider(self) -> None:
        values = {"provider": "box", "settings": {"second_secret": MASK}}

        self.assert_error(self.client.patch(self.url, values), 400, "validation_error", "settings")
        self.assertEqual(self.stored(), {"verify_token": TOKEN})

    def test_are_marked_in_the_catalogue(self) -> None:
        found = {
            each["key"]: each["settings_schema"] for each in self.client.get(f"{API}/providers/").json()["results"]
        }

        self.assertIs(found["meta"]["properties"]["verify_token"]["writeOnly"], True)
        self.assertNotIn("writeOnly", found["livekit"]["properties"]["api_key"])
