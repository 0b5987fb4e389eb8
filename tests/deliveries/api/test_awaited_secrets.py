from __future__ import annotations

from integrations.models import Endpoint, Secret
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_endpoint

SECRET = "b537207f20cbfa02357cf448134da559"


class AwaitSecretTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(provider="asana")
        self.url = f"{API}/endpoints/{self.endpoint.slug}/await-secret/"

    def deliver(self, endpoint: Endpoint, **headers: str) -> None:
        response = self.client_class().post(
            f"/hooks/{endpoint.slug}", b"", content_type="application/json", headers={"X-Hook-Secret": SECRET}
        )
        self.assertEqual(response.status_code, 200)

    def test_starts_a_wait_and_shows_what_came_but_not_the_secret(self) -> None:
        self.assertEqual(self.client.get(self.url).json()["state"], "none")
        started = self.client.post(self.url)
        self.assertEqual((started.status_code, started.json()["state"]), (202, "waiting"))
        self.assertTrue(started.json()["expires_at"])

        self.deliver(self.endpoint)

        shown = self.client.get(self.url)
        self.assertEqual((shown.json()["state"], shown.json()["source"]), ("pending", "127.0.0.1"))
        self.assertTrue(shown.json()["received_at"])
        self.assertNotIn(SECRET, shown.content.decode())

    def test_confirms_what_came(self) -> None:
        self.client.post(self.url)
        self.deliver(self.endpoint)

        confirmed = self.client.post(f"{self.url}confirm/")

        self.assertEqual(confirmed.status_code, 201, confirmed.content)
        self.assertNotIn(SECRET, confirmed.content.decode())
        self.assertEqual(str(Secret.objects.get().pk), confirmed.json()["id"])
        self.assert_error(self.client.post(f"{self.url}confirm/"), 409, "conflict")
        self.assertEqual(len([message for message in self.logged() if "deliver" in message]), 2)

    def test_drops_what_came(self) -> None:
        self.client.post(self.url)
        self.deliver(self.endpoint)

        self.assertEqual(self.client.delete(self.url).status_code, 204)

        self.assertEqual(self.client.get(self.url).json()["state"], "none")
        self.assertFalse(Secret.objects.exists())

    def test_is_refused_where_there_is_nothing_to_wait_for(self) -> None:
        github = make_endpoint(provider="github")

        self.assert_error(self.client.post(f"{API}/endpoints/{github.slug}/await-secret/"), 409, "conflict")
        self.assert_error(self.client.post(f"{self.url}confirm/"), 409, "conflict")

    def test_is_for_those_who_may_add_secrets(self) -> None:
        for role in ("viewer", "operator"):
            client = client_of(make_user(role, role=role))
            for method, url in (
                ("get", self.url),
                ("post", self.url),
                ("delete", self.url),
                ("post", f"{self.url}confirm/"),
            ):
                with self.subTest(role=role, method=method, url=url):
                    self.assertEqual(getattr(client, method)(url).status_code, 403)
