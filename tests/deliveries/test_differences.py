"""What differs between two JSON values."""

from __future__ import annotations

from typing import Any

from django.test import SimpleTestCase

from deliveries.differences import Change, Kind, difference, same
from integrations.routing import search


def changes(before: Any, after: Any) -> list[Change]:
    return list(difference(before, after, limit=100).changes)


class DifferenceTests(SimpleTestCase):
    def test_names_what_was_added_removed_and_changed(self) -> None:
        before = {"id": 1, "who": {"name": "Ada", "age": 36}, "old": None}
        after = {"id": 1, "who": {"name": "Grace", "age": 36}, "new": [1]}

        found = changes(before, after)

        self.assertEqual(
            found,
            [
                Change(Kind.CHANGED, "who.name", "Ada", "Grace"),
                Change(Kind.REMOVED, "old", None),
                Change(Kind.ADDED, "new", None, [1]),
            ],
        )

    def test_names_places_as_filters_do(self) -> None:
        before = {"a b": [{"c": 1}, {"d.e": 2}], 'quo"te': 1}
        after = {"a b": [{"c": 9}, {"d.e": 8}], 'quo"te': 7}

        found = changes(before, after)

        self.assertEqual([change.path for change in found], ['"a b"[0].c', '"a b"[1]."d.e"', r'"quo\"te"'])
        self.assertEqual([search(change.path, after) for change in found], [9, 8, 7])

    def test_of_the_whole_value_is_one_place(self) -> None:
        self.assertEqual(changes({"a": 1}, [1]), [Change(Kind.CHANGED, "@", {"a": 1}, [1])])
        self.assertEqual(changes([1], None), [Change(Kind.CHANGED, "@", [1], None)])

    def test_of_lists_is_what_was_put_in_or_taken_out(self) -> None:
        self.assertEqual(changes([1, 2, 3], [0, 1, 2, 3]), [Change(Kind.ADDED, "[0]", None, 0)])
        self.assertEqual(changes({"l": [1, 2, 3]}, {"l": [1, 3]}), [Change(Kind.REMOVED, "l[1]", 2)])
        self.assertEqual(changes([1, 1], [1, 1, 1]), [Change(Kind.ADDED, "[2]", None, 1)])
        self.assertEqual(
            changes([1, {"a": 1}, 3], [1, {"a": 2}, 3, 4]),
            [Change(Kind.CHANGED, "[1].a", 1, 2), Change(Kind.ADDED, "[3]", None, 4)],
        )

    def test_is_none_where_only_the_order_of_fields_is_another(self) -> None:
        self.assertEqual(changes({"a": 1, "b": [{}]}, {"b": [{}], "a": 1}), [])
        self.assertTrue(same({"a": 1, "b": [{}]}, {"b": [{}], "a": 1}))

    def test_tells_values_of_different_types_apart(self) -> None:
        for before, after in ((1, True), (1, 1.0), (0, False), (1, "1"), (None, False), ([], {}), ("", None)):
            self.assertEqual(len(changes({"a": [before]}, {"a": [after]})), 1, (before, after))
            self.assertFalse(same(before, after))

    def test_says_where_it_was_cut(self) -> None:
        before, after = {str(n): 1 for n in range(5)}, {str(n): 2 for n in range(5)}

        cut, whole = difference(before, after, limit=4), difference(before, after, limit=5)

        self.assertEqual((len(cut.changes), cut.is_cut), (4, True))
        self.assertEqual((len(whole.changes), whole.is_cut), (5, False))

    def test_reads_what_is_nested_in_lists_a_few_times_however_deep_it_is(self) -> None:
        read = []

        class Number(int):
            def __eq__(self, other: object) -> bool:
                read.append(other)
                return int(self) == other

            __hash__ = int.__hash__

        before: Any = [Number(1)] * 100
        after: Any = [*[Number(1)] * 99, Number(2)]
        for _ in range(90):
            before, after = [before], [after]

        found = changes(before, after)

        self.assertEqual([change.path for change in found], ["[0]" * 90 + "[99]"])
        self.assertLess(len(read), 1000)
