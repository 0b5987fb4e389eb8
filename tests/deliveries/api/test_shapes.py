"""``/shapes/`` tells what payloads look like, and takes the order to accept what has changed."""

from __future__ import annotations

from django.contrib.auth.models import Permission

from deliveries.models import AuditEntry, Shape
from integrations.models import Endpoint
from tests.deliveries.api.cases import API, ApiTestCase, client_of
from tests.deliveries.shapes.cases import USUAL, learned, see
from tests.factories import make_endpoint


class ShapeTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop = make_endpoint(slug="shop")
        row = learned(endpoint=self.shop)
        see(row, {**USUAL, "total": "5"})
        row.save()
        self.url = f"{API}/shapes/{row.pk}/"

    def test_tells_fields_and_changes_of_one(self) -> None:
        found = self.client.get(self.url).json()
        fields = {field["path"]: field for field in found["known_fields"]}

        self.assertEqual(fields["items[].sku"]["types"], ["string"])
        self.assertEqual((fields["total"]["types"], fields["total"]["share"]), (["number", "string"], 1.0))
        self.assertEqual([(each["kind"], each["path"]) for each in found["changes"]], [("type", "total")])

    def test_lists_them_without_fields_by_endpoint_type_and_change(self) -> None:
        for query, count in (
            ("endpoint=shop", 1),
            ("endpoint=x", 0),
            ("event_type=order.paid&changed=true", 1),
            ("changed=false", 0),
        ):
            with self.subTest(query=query):
                self.assertEqual(len(self.client.get(f"{API}/shapes/?{query}").json()["results"]), count)
        self.assertNotIn("known_fields", self.client.get(f"{API}/shapes/").json()["results"][0])

    def test_says_nothing_of_sensitive_endpoints(self) -> None:
        Endpoint.objects.update(sensitive=True)

        self.assertEqual(self.client.get(f"{API}/shapes/").json()["results"], [])
        self.assert_error(self.client.get(self.url), 404, "not_found")

    def test_accepts_what_has_changed_and_notes_it(self) -> None:
        found = self.client.post(f"{self.url}accept/", {}).json()

        self.assertEqual((found["changed_at"], found["changes"][0]["accepted_by"]), (None, self.user.username))
        self.assertEqual(AuditEntry.objects.filter(object_type="shape").count(), 1)
        self.assertEqual(self.client.post(f"{self.url}accept/", {}).status_code, 200)

    def test_accepts_nothing_without_the_right(self) -> None:
        self.user.user_permissions.set(Permission.objects.filter(codename="view_shape"))
        self.user.is_superuser = False
        self.user.groups.clear()
        self.user.save()

        self.assert_error(client_of(self.user).post(f"{self.url}accept/", {}), 403, "permission_denied")
        self.assertIsNotNone(Shape.objects.get().changed_at)
