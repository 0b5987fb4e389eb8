"""That the hub refuses, or does not begin, is what an operator has to know of."""

from __future__ import annotations

from django.test import SimpleTestCase
from django.utils import timezone

from deliveries.concerns import Concern, Level, Page, Sight, overload
from deliveries.overload.judging import Room
from tests.deliveries.overload.loads import standing


class LoadTests(SimpleTestCase):
    def found(self, **values: object) -> list[Concern]:
        sight = Sight(None, now=timezone.now())
        with standing(**values):
            return [
                concern
                for look in (overload.no_room, overload.shedding, overload.accept_only)
                for concern in look(sight)
            ]

    def test_is_none_while_all_is_well(self) -> None:
        self.assertEqual(self.found(), [])

    def test_is_told_when_the_disk_is_low_and_when_it_is_full(self) -> None:
        [low], [full] = self.found(room=Room.LITTLE), self.found(room=Room.NONE)

        self.assertIn("workers pause", low.text)
        self.assertIn("every event is refused", full.text)
        self.assertEqual({low.level, full.level}, {Level.PROBLEM})
        self.assertEqual((low.key, low.place.page), (full.key, Page.OVERLOAD))

    def test_is_told_when_endpoints_are_refused_with_what_helps(self) -> None:
        [waiting], [queued] = self.found(pressure=3.5), self.found(queue_bar=5)

        self.assertIn("HUB_WEB_WORKERS", waiting.next_step)
        self.assertIn("HUB_SHED_QUEUE_SECONDS", queued.next_step)

    def test_is_a_warning_where_somebody_wants_it_so(self) -> None:
        [concern] = self.found(accept_only_by="ada")

        self.assertEqual(concern.level, Level.WARNING)
        self.assertIn("ada switched it on", concern.text)
