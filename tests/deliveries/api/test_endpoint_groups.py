"""``/endpoint-groups/``, and the group of an endpoint."""

from __future__ import annotations

from django.utils import timezone

from integrations.models import Endpoint, EndpointGroup
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_endpoint

URL = f"{API}/endpoint-groups/"


class EndpointGroupTests(ApiTestCase):
    def test_is_made_changed_and_removed_by_name(self) -> None:
        made = self.client.post(URL, {"name": "shop", "description": "The shop's"})
        self.assertEqual(made.status_code, 201, made.content)
        self.assertEqual(set(made.json()), {"id", "name", "description", "created_at", "updated_at"})

        changed = self.client.patch(f"{URL}shop/", {"name": "shops"})
        self.assertEqual((changed.status_code, changed.json()["name"]), (200, "shops"))
        self.assertEqual([row["name"] for row in self.client.get(URL).json()["results"]], ["shops"])
        self.assertEqual(self.client.delete(f"{URL}shops/").status_code, 204)

        self.assertFalse(EndpointGroup.objects.exists())
        self.assertEqual(self.logged(), ["API: made.", "API: changed name.", "API: removed."])

    def test_refuses_a_name_that_is_none_or_taken(self) -> None:
        EndpointGroup.objects.create(name="shop")

        for name in ("", "a b", "a/b", "é", "x" * 101, "shop", None):
            with self.subTest(name=name):
                self.assert_error(self.client.post(URL, {"name": name}), 400, "validation_error", "name")

    def test_is_not_removed_while_an_endpoint_in_service_is_in_it(self) -> None:
        group = EndpointGroup.objects.create(name="shop")
        endpoint = make_endpoint(group=group)

        self.assert_error(self.client.delete(f"{URL}shop/"), 409, "conflict")
        endpoint.retire(now=timezone.now())
        self.assertEqual(self.client.delete(f"{URL}shop/").status_code, 204)

        endpoint.refresh_from_db()
        self.assertIsNone(endpoint.group)

    def test_is_read_by_viewers_and_changed_by_administrators(self) -> None:
        EndpointGroup.objects.create(name="shop")
        for role in ("viewer", "operator"):
            client = client_of(make_user(role, role=role))
            self.assertEqual(client.get(f"{URL}shop/").status_code, 200)
            self.assert_error(client.post(URL, {"name": "x"}), 403, "permission_denied")
            self.assert_error(client.patch(f"{URL}shop/", {"name": "x"}), 403, "permission_denied")
            self.assert_error(client.delete(f"{URL}shop/"), 403, "permission_denied")

    def test_is_named_by_an_endpoint(self) -> None:
        EndpointGroup.objects.create(name="shop")
        body = {"slug": "orders", "provider": "generic_none", "group": "shop"}

        self.assertEqual(self.client.post(f"{API}/endpoints/", body).json()["group"], "shop")
        make_endpoint(slug="other")
        found = self.client.get(f"{API}/endpoints/", {"group": "shop"}).json()["results"]
        self.assertEqual([row["slug"] for row in found], ["orders"])
        answer = self.client.patch(f"{API}/endpoints/orders/", {"group": "nobody"})
        self.assert_error(answer, 400, "validation_error", "group")
        self.assertIsNone(self.client.patch(f"{API}/endpoints/orders/", {"group": None}).json()["group"])
        self.assertIsNone(Endpoint.objects.get(slug="orders").group)
