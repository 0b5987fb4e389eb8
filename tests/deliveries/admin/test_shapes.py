"""The pages of shapes show fields and changes, and take the order to accept them."""

from __future__ import annotations

import re

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse

from deliveries.models import AuditEntry, Shape
from integrations.models import Endpoint
from tests.deliveries.admin.people import make_user
from tests.deliveries.shapes.cases import USUAL, learned, see
from tests.factories import make_endpoint, make_event


class ShapePageTests(TestCase):
    def setUp(self) -> None:
        self.shop = make_endpoint(slug="shop")
        self.event = make_event(self.shop)
        self.row = learned(endpoint=self.shop)
        see(self.row, {**USUAL, "total": "5", "vat": 1})
        for change in self.row.changes[:1]:
            change["event"] = str(self.event.pk)
        self.row.save()
        self.url = reverse("admin:deliveries_shape_change", args=[self.row.pk])
        self.user = make_user("operator")
        self.client.force_login(self.user)

    def test_shows_the_fields_as_a_tree_with_what_is_known_of_them(self) -> None:
        page = self.client.get(self.url)

        self.assertContains(page, '<span class="hub-depth hub-depth-3">sku</span>', html=True)
        text = re.sub(r"<[^>]+>|\s+", " ", page.content.decode())
        self.assertRegex(text, r"vat +new +number +2 %")
        self.assertRegex(text, r"total +number, text +other type +100 %")

    def test_leads_to_the_event_in_which_a_change_was_seen_first(self) -> None:
        address = reverse("admin:deliveries_event_change", args=[self.event.pk])

        self.assertContains(self.client.get(self.url), address, count=1)
        self.event.delete()
        self.assertNotContains(self.client.get(self.url), address)

    def test_is_reached_from_the_endpoints_page(self) -> None:
        address = reverse("admin:deliveries_shape_changelist") + f"?endpoint={self.shop.pk}"
        endpoint = reverse("admin:integrations_endpoint_change", args=[self.shop.pk])

        self.assertContains(self.client.get(endpoint), address)
        self.assertContains(self.client.get(address), "vat is new: number. (1 more)")
        Endpoint.objects.filter(pk=self.shop.pk).update(sensitive=True)
        self.assertNotContains(self.client.get(endpoint), address)
        self.assertNotContains(self.client.get(address), "order.paid")

    def test_takes_the_order_to_accept(self) -> None:
        order = reverse("admin:deliveries_shape_accept", args=[self.row.pk])
        self.assertContains(self.client.get(self.url), order)
        page = self.client.post(order, follow=True)

        self.assertContains(page, "2 changes are accepted.")
        self.assertContains(page, "accepted by operator", count=2)
        self.assertEqual(
            (Shape.objects.get().changed_at, AuditEntry.objects.filter(object_type="shape").count()), (None, 1)
        )
        self.assertNotContains(page, order)

    def test_takes_no_order_by_get_or_without_the_right(self) -> None:
        order = reverse("admin:deliveries_shape_accept", args=[self.row.pk])
        self.assertEqual(self.client.get(order).status_code, 405)
        viewer = make_user("viewer")
        self.assertFalse(Permission.objects.filter(group__user=viewer, codename="accept_shape").exists())
        self.client.force_login(viewer)

        self.assertNotContains(self.client.get(self.url), order)
        self.assertEqual(self.client.post(order).status_code, 403)
        self.assertEqual(len(Shape.objects.get().open_changes), 2)

    def test_says_that_it_is_still_learning(self) -> None:
        Shape.objects.update(learned_at=None)

        self.assertContains(self.client.get(self.url), "It is being learned since")
