"""Stored events are looked at by a cursor: each once, none that must not be, and not too many at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID

from django.db import DatabaseError
from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries.models import Event, Shape, ShapeCursor
from deliveries.models.shape import ChangeKind
from deliveries.retention import prune_some_shapes
from deliveries.shapes import rounds
from deliveries.shapes.rounds import LARGEST_BYTES, MOST_TYPES, Learner, claim, look
from integrations.identifiers import lowest_at
from integrations.models import Endpoint
from tests.deliveries.shapes.cases import new_shape, said
from tests.factories import make_endpoint, make_event

BODY = b'{"total": 5}'


class RoundTestCase(TestCase):
    def setUp(self) -> None:
        self.shop = make_endpoint(slug="shop")
        self.now = timezone.now() + timedelta(seconds=30)  # the events of a test have settled by then
        ShapeCursor.objects.create(pk=1, next_at=self.now)

    def event(self, **values: Any) -> Event:
        return make_event(**{"endpoint": self.shop, "body": BODY, **values})

    def looked_at(self) -> dict[str, int]:
        return dict(Shape.objects.values_list("event_type", "looked_at"))


class RoundTests(RoundTestCase):
    def test_looks_at_each_event_once(self) -> None:
        for event_type in ("paid", "paid", "sent"):
            self.event(event_type=event_type)

        self.assertFalse(look(now=self.now))
        self.assertFalse(look(now=self.now))
        self.event(event_type="paid")
        look(now=self.now)

        self.assertEqual(self.looked_at(), {"paid": 3, "sent": 1})
        self.assertEqual(Shape.objects.get(event_type="paid").fields["total"]["types"], {"number": 3})

    def test_that_was_killed_half_way_has_learned_nothing(self) -> None:
        for event_type in ("paid", "sent"):
            self.event(event_type=event_type)
        save = Shape.save
        with mock.patch.object(Shape, "save", autospec=True) as saved:
            saved.side_effect = lambda row: save(row) if row.event_type == "paid" else _die()
            with self.assertRaises(DatabaseError):
                look(now=self.now)
        self.assertEqual(self.looked_at(), {})

        look(now=self.now)
        self.assertEqual(self.looked_at(), {"paid": 1, "sent": 1})

    def test_counts_nothing_of_which_another_worker_was_quicker(self) -> None:
        self.event()
        read = rounds._payloads

        def meanwhile(ids: Any) -> Any:
            with mock.patch.object(rounds, "_payloads", read):
                look(now=self.now)
            return read(ids)

        with mock.patch.object(rounds, "_payloads", meanwhile):
            look(now=self.now)

        self.assertEqual(self.looked_at(), {"test": 1})

    def test_is_of_one_worker_each_five_seconds(self) -> None:
        self.assertEqual(
            [claim(self.now), claim(self.now), claim(self.now + timedelta(seconds=5))], [True, False, True]
        )
        self.assertTrue(claim(self.now - timedelta(days=1)))  # after a clock was set back

    def test_leaves_out_what_may_still_be_committed_behind_it(self) -> None:
        self.event()
        look(now=timezone.now())
        self.assertEqual(self.looked_at(), {})

        look(now=self.now)
        self.assertEqual(self.looked_at(), {"test": 1})

    def test_leaves_out_what_came_long_ago(self) -> None:
        old = lowest_at(self.now - timedelta(minutes=11))
        self.event(id=UUID(int=old.int + 1))
        look(now=self.now)

        self.assertEqual(self.looked_at(), {})

    def test_takes_twenty_of_one_type_and_goes_on(self) -> None:
        for _ in range(25):
            self.event()
        self.event(event_type="rare")
        look(now=self.now)

        self.assertEqual(self.looked_at(), {"test": 20, "rare": 1})

    def test_ends_with_the_bytes_that_it_may_read(self) -> None:
        for number in range(3):
            self.event(event_type=f"type {number}", body=b'{"a": "%s"}' % (b"x" * 200))
        with mock.patch.object(rounds, "_BYTES", 500):
            self.assertTrue(look(now=self.now))
            self.assertEqual(sorted(self.looked_at()), ["type 0", "type 1"])
            self.assertFalse(look(now=self.now))

        self.assertEqual(sorted(self.looked_at()), ["type 0", "type 1", "type 2"])


def _die() -> None:
    raise DatabaseError("killed")


class LeftOutTests(RoundTestCase):
    def test_is_what_is_sensitive_encrypted_large_or_made_here(self) -> None:
        hidden = make_endpoint(sensitive=True)
        self.event(endpoint=hidden)
        self.event(body_is_encrypted=True)
        self.event(requested_by="anna")
        self.event(body_bytes=LARGEST_BYTES + 1)
        self.event(endpoint=make_endpoint(provider="internal"))
        self.event(body=b"\x89PNG", content_type="image/png")
        look(now=self.now)

        self.assertEqual(self.looked_at(), {})

    def test_is_an_event_type_beyond_two_hundred(self) -> None:
        Shape.objects.bulk_create(new_shape(self.shop, event_type=f"t{n}") for n in range(MOST_TYPES))
        self.event(event_type="one more")
        self.event(event_type="t7")
        look(now=self.now)

        self.assertEqual(Shape.objects.count(), MOST_TYPES)
        self.assertEqual(self.looked_at()["t7"], 1)

    @override_settings(HUB_SHAPE_DAYS=0)
    def test_is_everything_where_nothing_is_to_be_learned(self) -> None:
        self.event()
        Learner().step(self.now)

        self.assertEqual(self.looked_at(), {})

    def test_is_nothing_for_a_worker_whose_turn_it_is(self) -> None:
        self.event()
        Learner().step(self.now)

        self.assertEqual(self.looked_at(), {"test": 1})


class NewTypeTests(RoundTestCase):
    def known(self, *, days: int, events: int = 100) -> None:
        at = self.now - timedelta(days=days)
        new_shape(self.shop, event_type="paid", first_seen_at=at, looked_at=events).save()

    def changes(self) -> list[str]:
        self.event(event_type="refunded")
        look(now=self.now)
        return said(Shape.objects.get(event_type="refunded"))

    def test_is_found_at_an_endpoint_that_is_known_for_a_week(self) -> None:
        self.known(days=8)

        self.assertEqual(self.changes(), ["The event type never came before."])
        row = Shape.objects.get(event_type="refunded")
        self.assertEqual((row.changes[0]["kind"], row.changed_at), (ChangeKind.NEW_TYPE, row.first_seen_at))

    def test_is_none_at_a_new_endpoint(self) -> None:
        self.known(days=6)

        self.assertEqual(self.changes(), [])

    def test_is_none_at_one_that_sent_little(self) -> None:
        self.known(days=8, events=10)

        self.assertEqual(self.changes(), [])


class RetentionTests(RoundTestCase):
    def test_removes_types_that_did_not_come_for_long(self) -> None:
        for name, days in (("old", 91), ("young", 89)):
            new_shape(self.shop, event_type=name, last_seen_at=self.now - timedelta(days=days)).save()

        self.assertEqual(prune_some_shapes(now=self.now), 1)
        self.assertEqual(list(self.looked_at()), ["young"])

    def test_removes_what_was_learned_of_an_endpoint_that_is_sensitive_now(self) -> None:
        new_shape(self.shop, last_seen_at=self.now).save()
        Endpoint.objects.filter(pk=self.shop.pk).update(sensitive=True)

        self.assertEqual(list(Shape.objects.shown()), [])
        self.assertEqual(prune_some_shapes(now=self.now), 1)

    @override_settings(HUB_SHAPE_DAYS=0)
    def test_removes_everything_where_nothing_is_to_be_learned(self) -> None:
        new_shape(self.shop, last_seen_at=self.now - timedelta(seconds=1)).save()

        self.assertEqual(prune_some_shapes(now=self.now), 1)
