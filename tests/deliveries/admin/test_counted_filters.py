"""What a filter offers says how much there is of it, from statistics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import TestCase
from django.utils import timezone

from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from integrations.models import Restriction
from tests.deliveries.admin.people import logged_in, make_user
from tests.factories import make_endpoint, make_route


class CountedFilterTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        now = timezone.now()
        cls.shop = make_endpoint(slug="shop")
        cls.idle = make_endpoint(slug="idle")
        cls.route = make_route(cls.shop, name="book")
        for measure, at, count in (
            (Measure.ACCEPTED, now, 1203),
            (Measure.ACCEPTED, now - timedelta(days=2), 5),
            (Measure.REFUSED, now, 3),
        ):
            counting.add(measure, cls.shop.pk, at=at, count=count)
        counting.add(Measure.DEAD, cls.shop.pk, at=now, route=cls.route.pk, count=12)
        counting.add(Measure.SUCCEEDED, cls.shop.pk, at=now, route=cls.route.pk, count=30)
        counting.flush()

    def offered(self, address: str, client: Any = None) -> dict[str, list[str]]:
        page = (client or logged_in("viewer")).get(address)
        specs = page.context["cl"].filter_specs
        return {
            spec.parameter_name: [str(text) for _, text in spec.lookup_choices]
            for spec in specs
            if hasattr(spec, "lookup_choices")
        }

    def test_of_events_say_what_was_accepted_in_a_day(self) -> None:
        found = self.offered("/admin/deliveries/event/")

        self.assertEqual(found["endpoint"], ["idle", "shop (1,203 in 24 h)"])
        self.assertEqual(
            [text for text in found["provider"] if "in 24 h" in text], ["No proof at all (unsafe) (1,203 in 24 h)"]
        )

    def test_of_deliveries_say_how_they_ended(self) -> None:
        found = self.offered("/admin/deliveries/delivery/")

        self.assertIn("shop (42 in 24 h)", found["endpoint"])
        self.assertEqual(found["route"], ["shop → book (42 in 24 h)"])
        self.assertIn("Succeeded (30 in 24 h)", found["status"])
        self.assertIn("Dead letter (12 in 24 h)", found["status"])
        self.assertIn("Discarded", found["status"])

    def test_of_refusals_say_what_was_refused(self) -> None:
        self.assertIn("shop (3 in 24 h)", self.offered("/admin/deliveries/rejection/")["endpoint"])

    def test_tell_nothing_of_other_groups(self) -> None:
        user = make_user("viewer", name="fenced")
        Restriction.objects.create(user=user)
        self.client.force_login(user)

        found = self.offered("/admin/deliveries/delivery/", self.client)

        self.assertEqual([text for texts in found.values() for text in texts if "in 24 h" in text], [])
