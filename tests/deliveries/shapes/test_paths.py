"""The fields of a payload are found without its values."""

from __future__ import annotations

from typing import Any

from django.test import SimpleTestCase

from deliveries.shapes.paths import MOST_DEPTH, MOST_PATHS, fields_of, is_data


def types(payload: Any, **more: Any) -> dict[str, str]:
    """Return what is found, the types of a field as one text."""
    return {path: "|".join(sorted(place.types)) for path, place in fields_of(payload, **more).places.items()}


class PathsTests(SimpleTestCase):
    def test_are_written_as_filters_are(self) -> None:
        payload = {"order": {"items": [{"sku": "a"}, {"sku": 1, "x-y": None}]}, "paid": True}

        self.assertEqual(
            types(payload),
            {
                "": "object",
                "order": "object",
                "paid": "boolean",
                "order.items": "array",
                "order.items[]": "object",
                "order.items[].sku": "number|string",
                'order.items[]."x-y"': "null",
            },
        )

    def test_are_found_in_a_payload_that_is_no_object(self) -> None:
        self.assertEqual(types([[1.5], "a"]), {"": "array", "[]": "array|string", "[][]": "number"})
        self.assertEqual(types("text"), {"": "string"})

    def test_take_whole_numbers_and_fractions_for_one_type(self) -> None:
        self.assertEqual(types({"a": 1}), types({"a": 1.5}))

    def test_hold_no_value(self) -> None:
        found = repr(fields_of({"name": "Ada Lovelace", "list": ["s3cret"], "cus_9s6XKzkNRiz8i3": {"a": "Ada"}}))

        for value in ("Ada", "s3cret", "cus_"):
            self.assertNotIn(value, found)

    def test_have_one_name_for_all_names_that_are_data(self) -> None:
        payload = {"by": {"1042": {"n": 1}, "64b5f3a09c1e77": {"n": "a"}, "ada@example.com": {"n": 2}}}

        self.assertEqual(types(payload)["by.*.n"], "number|string")
        self.assertEqual(len(types(payload)), 4)

    def test_have_one_name_in_an_object_that_is_known_to_be_a_map(self) -> None:
        self.assertIn("stock.*", types({"stock": {"red": 1, "blue": 2}}, folded=["stock"]))

    def test_end_at_a_depth_and_at_a_number(self) -> None:
        deep: Any = 1
        for _ in range(MOST_DEPTH + 5):
            deep = {"a": deep}
        wide = fields_of({f"name_{letter}{other}": 1 for letter in range(30) for other in "abcdefghijklmnopqrst"})

        self.assertEqual(len(types(deep)), MOST_DEPTH + 1)
        self.assertEqual((len(wide.places), wide.is_cut), (MOST_PATHS, True))

    def test_can_be_stored_whatever_a_name_is_made_of(self) -> None:
        for path in types({"nul\0": 1, "\ud800": 2, 'quo"te': 3, "a.b": 4}):
            self.assertNotIn("\0", path)
            path.encode()

    def test_come_from_the_first_items_of_a_long_list(self) -> None:
        self.assertEqual(types({"a": [1] * 100_000 + ["x"]})["a[]"], "number")


class NamesThatAreDataTests(SimpleTestCase):
    def test_are_ids_addresses_dates_and_numbers(self) -> None:
        for name in (
            "17", "2026-11-27", "2026-11-27T10:00", "ada@example.com", "https://example.com/a", "192.0.2.1",
            "01a21d71-5c1e-7f40-9a11-0d2f6a3b7c55", "64b5f3a09c1e77", "U024BE7LH", "cus_9s6XKzkNRiz8i3",
            "", "x" * 65, "+49 30 123",
        ):  # fmt: skip
            with self.subTest(name=name):
                self.assertTrue(is_data(name))

    def test_are_not_the_names_that_people_give_to_fields(self) -> None:
        for name in (
            "id", "address_line1", "sha256", "x509_certificate_sha256", "oauth2_token", "is_oauth2enabled", "@type",
            "ipv4", "3d_secure", "line_1_text", "Content-Type", "deadbeef", "total_amount_in_cents", "größe", "a.b",
        ):  # fmt: skip
            with self.subTest(name=name):
                self.assertFalse(is_data(name))
