"""A change of payloads is found, and what is none is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import SimpleTestCase

from deliveries.shapes.learning import LEARNING_EVENTS, MOST_CHANGES
from deliveries.shapes.tree import lines
from tests.deliveries.shapes.cases import NOW, USUAL, learned, new_shape, said, see


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in USUAL.items() if key != name}


class LearningTests(SimpleTestCase):
    def test_takes_fifty_events(self) -> None:
        shape = new_shape()
        see(shape, USUAL, times=LEARNING_EVENTS - 1)
        see(shape, {**USUAL, "vat": 1})

        self.assertEqual((said(shape), shape.learned_at is None), ([], False))

    def test_takes_an_hour(self) -> None:
        shape = new_shape()
        see(shape, USUAL, times=2 * LEARNING_EVENTS, minutes=-1)
        see(shape, {**USUAL, "vat": 1}, minutes=-1)

        self.assertEqual((said(shape), shape.learned_at), ([], None))

    def test_says_in_how_many_events_a_field_is_since_when(self) -> None:
        shape = learned()
        see(shape, without("total"), times=LEARNING_EVENTS)
        found = {line.path: line for line in lines(shape)}

        self.assertEqual((found["total"].share, found["id"].share), (0.5, 1.0))
        self.assertEqual(found["customer.name"].first_at, NOW + timedelta(hours=1))
        self.assertEqual([line.path for line in lines(shape)][:4], ["", "customer", "customer.city", "customer.name"])

    def test_goes_by_the_latest_two_thousand_events(self) -> None:
        shape = learned(without("total"))
        see(shape, USUAL, times=4000)
        share = next(line.share for line in lines(shape) if line.path == "total")

        self.assertGreater(share, 0.97)
        self.assertLess(shape.counted, 2000)
        self.assertEqual(shape.looked_at, 4050)


class NewFieldTests(SimpleTestCase):
    def test_is_found_once_with_what_is_in_it(self) -> None:
        shape = learned()
        see(shape, {**USUAL, "refund": {"amount": 1, "by": {"name": "a"}}}, times=3)

        self.assertEqual(said(shape), ["refund is new: object. (With 3 fields in it.)"])
        self.assertIsNotNone(shape.changed_at)

    def test_is_found_in_the_items_of_a_list(self) -> None:
        shape = learned()
        see(shape, {**USUAL, "items": [{"sku": "a"}, {"sku": "b", "gift": True}]})

        self.assertEqual(said(shape), ["items[].gift is new: true or false."])

    def test_is_none_where_there_was_null_or_an_empty_list(self) -> None:
        shape = learned({"customer": None, "items": []})
        see(shape, {"customer": {"name": "Ada"}, "items": [{"sku": "a"}]})

        self.assertEqual(said(shape), [])

    def test_is_none_in_a_map_of_ids(self) -> None:
        shape = learned({"by": {"1": {"n": 1}}})
        see(shape, {"by": {"2": {"n": 1}, "3": {"n": 2}}})

        self.assertEqual(said(shape), [])


class GoneFieldTests(SimpleTestCase):
    def test_is_found_after_twenty_events_and_ten_minutes_without_it(self) -> None:
        shape = learned()
        see(shape, without("customer"), times=25, minutes=9)
        self.assertEqual(said(shape), [])

        see(shape, without("customer"), times=2, minutes=11)
        self.assertEqual(said(shape), ["customer is gone. (With 2 fields in it.)"])

    def test_is_over_when_the_field_is_back(self) -> None:
        shape = learned()
        see(shape, without("total"), times=25, minutes=20)
        see(shape, USUAL, minutes=21)

        self.assertEqual((said(shape), shape.changed_at), ([], None))
        self.assertEqual(shape.changes[0]["ended_at"], (NOW + timedelta(minutes=81)).isoformat())

    def test_is_none_that_was_often_missing_before(self) -> None:
        shape = new_shape()
        for number in range(LEARNING_EVENTS):
            see(shape, USUAL if number % 10 else without("total"))
        see(shape, without("total"), times=30, minutes=20)

        self.assertEqual(said(shape), [])

    def test_is_none_that_was_gone_before_anybody_could_tell(self) -> None:
        shape = new_shape()
        see(shape, USUAL, times=10)
        see(shape, without("total"), times=LEARNING_EVENTS, minutes=20)

        self.assertEqual(said(shape), [])

    def test_is_none_in_an_empty_list_or_in_null(self) -> None:
        shape = learned()
        see(shape, {**USUAL, "items": [], "customer": None}, times=30, minutes=20)

        self.assertEqual(said(shape), [])


class OtherTypeTests(SimpleTestCase):
    def test_is_found_at_the_first_event(self) -> None:
        shape = learned()
        see(shape, {**USUAL, "total": "5.00"}, times=3)

        self.assertEqual(said(shape), ["total was: number, and is now: text."])

    def test_is_found_where_an_object_becomes_a_list(self) -> None:
        shape = learned()
        see(shape, {**USUAL, "customer": [{"name": "Ada"}]})

        self.assertEqual(said(shape), ["customer was: object, and is now: list."])

    def test_is_none_for_null_or_a_fraction(self) -> None:
        shape = learned({"total": 5, "note": None})
        see(shape, {"total": None, "note": "text"})
        see(shape, {"total": 5.5, "note": None})

        self.assertEqual(said(shape), [])


class MapTests(SimpleTestCase):
    def test_is_an_object_with_many_names_each_in_few_events(self) -> None:
        shape = new_shape()
        for number in range(LEARNING_EVENTS + 10):
            see(shape, {"stock": {f"colour_{'abcdefghijklmnop'[number % 15]}": {"n": number}}})
        see(shape, {"stock": {"colour_z": {"n": 1}}})

        self.assertEqual((shape.folded, said(shape)), (["stock"], []))
        self.assertIn("stock.*.n", shape.fields)
        self.assertLess(len(shape.fields), 5)

    def test_takes_back_what_was_noted_of_its_names_and_learns_anew(self) -> None:
        shape = learned()
        for number in range(70):
            see(shape, {**USUAL, "customer": {"name": "a", "city": "b", f"n{'x' * (number % 50)}{number // 50}": 1}})

        self.assertEqual((shape.folded, said(shape), shape.learned_at), (["customer"], [], None))

    def test_is_no_object_with_names_that_are_always_there(self) -> None:
        shape = learned({"a": {f"name_{letter}": 1 for letter in "abcdefghijklmnopqrst"}})

        self.assertEqual(shape.folded, [])


class ChangesTests(SimpleTestCase):
    def test_are_kept_in_a_bounded_number(self) -> None:
        shape = learned({"a": {"always": 1}, "b": {"always": 1}, "c": {"always": 1}})
        for number in range(60):
            see(shape, {"abc"[number % 3]: {"always": 1, f"n{'x' * number}": 1}})

        self.assertEqual(len(shape.changes), MOST_CHANGES)
