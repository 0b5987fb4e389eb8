"""What a filter offers says how much there is of it, from statistics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import TestCase
from django.utils import timezone

from deliveries.models import RejectionCount
from deliveries.models.rollup import Measure
from deliveries.stats.counting import counting
from deliveries.stats.names import MOST_NAMES
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
        counting.add(Measure.REFUSED, cls.shop.pk, at=now, count=3)
        types = {"order.paid": 1100, "order.<late>": 100, "": 3}
        counting.add(Measure.ACCEPTED, cls.shop.pk, at=now, count=1203, names=types)
        counting.add(Measure.ACCEPTED, cls.shop.pk, at=now - timedelta(days=2), count=5, names={"order.old": 5})
        counting.add_all([Measure.FAILED], {}, cls.shop.pk, at=now, route=cls.route.pk, error="ConnectTimeout")
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

    def offered_texts(self, address: str, client: Any = None) -> dict[str, list[tuple[str, str, bool]]]:
        changelist = (client or logged_in("viewer")).get(address).context["cl"]
        specs = [spec for spec in changelist.filter_specs if hasattr(spec, "named")]
        return {spec.parameter_name: next(spec.choices(changelist))["offered"] for spec in specs}

    def test_of_events_offer_the_types_of_a_day(self) -> None:
        found = self.offered_texts("/admin/deliveries/event/?event_type=order.paid")

        self.assertEqual(
            found["event_type"],
            [
                ("order.paid (1,100 in 24 h)", "?event_type=order.paid", True),
                ("order.<late> (100 in 24 h)", "?event_type=order.%3Clate%3E", False),
            ],
        )

    def test_of_deliveries_offer_types_and_classes_of_errors(self) -> None:
        found = self.offered_texts("/admin/deliveries/delivery/")

        self.assertEqual([text for text, _, _ in found["error"]], ["ConnectTimeout (1 in 24 h)"])
        self.assertEqual(found["event_type"][0][0], "order.paid (1,100 in 24 h)")

    def test_of_refusals_offer_the_reasons_of_a_day(self) -> None:
        now = timezone.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        for reason, at, count in (
            ("timestamp_missing", hour, 2),
            ("signature_mismatch", hour, 1200),
            ("signature_mismatch", hour - timedelta(hours=3), 34),
            ("too_large", hour - timedelta(hours=30), 5),
        ):
            RejectionCount.objects.create(endpoint=self.shop, reason=reason, hour=at, count=count)

        found = self.offered_texts("/admin/deliveries/rejection/?reason=timestamp_missing")

        self.assertEqual(
            found["reason"],
            [
                ("signature_mismatch (1,234 in 24 h)", "?reason=signature_mismatch", False),
                ("timestamp_missing (2 in 24 h)", "?reason=timestamp_missing", True),
            ],
        )

    def test_show_what_they_offer_as_text(self) -> None:
        page = logged_in("viewer").get("/admin/deliveries/event/")

        self.assertContains(page, "order.&lt;late&gt; (100 in 24 h)")
        self.assertNotContains(page, "order.<late>")

    def test_say_at_least_where_there_were_more_names_than_are_counted(self) -> None:
        for number in range(MOST_NAMES + 2):
            counting.add(Measure.ACCEPTED, self.shop.pk, at=timezone.now(), names={f"invoice.{number:03}": 2})
        counting.flush()

        texts = [text for text, _, _ in self.offered_texts("/admin/deliveries/event/")["event_type"]]

        self.assertEqual(len(texts), 12)
        self.assertEqual(texts[0], "order.paid (at least 1,100 in 24 h)")

    def test_tell_nothing_of_other_groups(self) -> None:
        user = make_user("viewer", name="fenced")
        Restriction.objects.create(user=user)
        self.client.force_login(user)

        found = self.offered("/admin/deliveries/delivery/", self.client)

        self.assertEqual([text for texts in found.values() for text in texts if "in 24 h" in text], [])
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        RejectionCount.objects.create(endpoint=self.shop, reason="too_large", hour=hour, count=5)
        for address in ("/admin/deliveries/event/", "/admin/deliveries/delivery/", "/admin/deliveries/rejection/"):
            self.assertFalse(any(self.offered_texts(address, self.client).values()))
