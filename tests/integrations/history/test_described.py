"""The loopback servers and the hub's own requests, held against what the providers describe."""

from __future__ import annotations

from typing import Any

from django.test import SimpleTestCase

from tests.integrations.history import GitHub, Stripe, serving
from tests.integrations.history.described import description

LIST = "/repos/octo-org/hello/hooks/42/deliveries"


class DriftTests(SimpleTestCase):
    def asked(self, server: Any, path: str, **params: str) -> None:
        with serving(server) as api:
            api.get(path, params=params)

    def test_is_none_where_all_is_as_described(self) -> None:
        self.asked(GitHub([("guid-1", "2026-11-27T11:50:00Z")]), LIST, per_page="100")
        self.asked(
            Stripe([("evt_1", 5)]), "/v1/events", **{"created[gte]": "1", "created[lte]": "9", "types[0]": "a.b"}
        )

    def test_of_a_parameter_fails(self) -> None:
        for server, path, params in (
            (GitHub([]), LIST, {"page_size": "100"}),
            (GitHub([]), LIST, {"per_page": "all"}),
            (Stripe([]), "/v1/events", {"created[gte]": "1", "created[lte]": "9", "limit": "1000"}),
            (Stripe([]), "/v1/events", {"created[gte]": "1", "created[lte]": "9", "created[from]": "1"}),
        ):
            with self.subTest(params=params), self.assertRaisesMessage(AssertionError, "not as the provider describes"):
                self.asked(server, path, **params)

    def test_of_a_path_fails(self) -> None:
        with self.assertRaisesMessage(AssertionError, "there is no such operation"):
            self.asked(GitHub([]), "/repos/octo-org/hello/deliveries")

    def test_of_an_answer_fails(self) -> None:
        github, stripe = GitHub([("guid-1", "2026-11-27T11:50:00Z")]), Stripe([("evt_1", 5)])
        del github.items[0]["guid"]
        stripe.events[0]["created"] = "2026-11-27T11:50:00Z"
        window = {"created[gte]": "1", "created[lte]": "9"}
        with self.assertRaisesMessage(AssertionError, "'guid' is a required property"):
            self.asked(github, LIST)
        found = description("stripe").problems("/v1/events", window, status=200, answer={"data": stripe.events})
        self.assertTrue(any("is not of type 'integer'" in text for text in found), found)
        self.assertTrue(any("'has_more' is a required property" in text for text in found), found)

    def test_takes_null_where_it_is_described(self) -> None:
        github = GitHub([("guid-1", "2026-11-27T11:50:00Z")])
        github.items[0]["action"] = None
        self.asked(github, LIST)
        github.items[0]["event"] = None
        with self.assertRaisesMessage(AssertionError, "is not of type 'string'"):
            self.asked(github, LIST)
