"""Event types and classes of errors are counted by name, in bounded number."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import UUID

from django.db import OperationalError
from django.test import SimpleTestCase, TestCase

from deliveries.models import NamedCount, Rollup
from deliveries.models.named_count import OTHERS, NamedCell
from deliveries.models.rollup import Measure
from deliveries.retention import prune_some_rollups
from deliveries.stats.counting import counting
from deliveries.stats.names import MOST_NAMES, KnownNames
from tests.deliveries.receiving.batching import WithBatches, items, splitting
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_endpoint

HOUR = datetime(2026, 11, 27, 10, tzinfo=UTC)
PLACE = UUID(int=7)


def cells(*names: str, at: datetime = HOUR, count: int = 1) -> Counter[NamedCell]:
    return Counter({NamedCell("accepted", at, PLACE, name): count for name in names})


class KnownNamesTests(SimpleTestCase):
    def test_are_others_beyond_the_bound_and_the_most_frequent_come_first(self) -> None:
        known = KnownNames()
        many = cells(*(f"rare.{number}" for number in range(MOST_NAMES + 5))) | cells("frequent", count=9)

        found = known.bounded(many.items())

        self.assertEqual(len(found), MOST_NAMES + 1)
        self.assertEqual(found[NamedCell("accepted", HOUR, PLACE, "frequent")], 9)
        self.assertEqual(found[NamedCell("accepted", HOUR, PLACE, OTHERS)], 6)

    def test_stay_what_they_are_for_an_hour(self) -> None:
        known = KnownNames()
        known.bounded(cells(*(f"type.{number}" for number in range(MOST_NAMES))).items())

        later = known.bounded((cells("type.0") | cells("new")).items())
        next_hour = known.bounded(cells("new", at=HOUR + timedelta(hours=1)).items())

        self.assertEqual({cell.name for cell in later}, {"type.0", OTHERS})
        self.assertEqual({cell.name for cell in next_hour}, {"new"})


class NamedCountTests(Sender, WithBatches, TestCase):
    def written(self) -> dict[str, int]:
        counting.flush()
        return dict(NamedCount.objects.values_list("name", "count"))

    def test_has_each_accepted_event_once_and_no_duplicate(self) -> None:
        endpoint = signed_endpoint()
        for event_id, event_type in (("1", "push"), ("1", "push"), ("2", "push"), ("3", "pull"), ("4", "")):
            self.send(endpoint, {"type": event_type}, event_id=event_id)

        self.assertEqual(self.written(), {"push": 2, "pull": 1})

    def test_has_the_events_of_a_split_batch_each_by_its_own_type(self) -> None:
        sent = [*items(1, 2), *items(3, type="order.sent"), *items(1)]

        self.send(splitting(), sent)

        self.assertEqual(self.written(), {"order.paid": 2, "order.sent": 1})

    def test_is_added_up_by_the_hour(self) -> None:
        endpoint = make_endpoint()
        for minute in (1, 2, 59):
            counting.add(Measure.ACCEPTED, endpoint.pk, at=HOUR + timedelta(minutes=minute), names={"push": 2, "": 1})
            counting.flush()

        self.assertEqual(list(NamedCount.objects.values_list("starts_at", "name", "count")), [(HOUR, "push", 6)])

    def test_is_kept_with_the_other_counts_while_the_database_is_away(self) -> None:
        endpoint = make_endpoint()
        counting.add(Measure.ACCEPTED, endpoint.pk, at=HOUR, names={"push": 1})

        with patch.object(NamedCount.objects, "add", side_effect=OperationalError):
            counting.flush()
        self.assertFalse(Rollup.objects.exists())

        self.assertEqual(self.written(), {"push": 1})
        self.assertEqual(Rollup.objects.get(grain_minutes=60).count, 1)

    def test_is_removed_after_two_days(self) -> None:
        endpoint = make_endpoint()
        for hours in (49, 47):
            counting.add(Measure.ACCEPTED, endpoint.pk, at=HOUR - timedelta(hours=hours), names={f"{hours}": 1})
        counting.flush()

        prune_some_rollups(now=HOUR)

        self.assertEqual(self.written(), {"47": 1})
