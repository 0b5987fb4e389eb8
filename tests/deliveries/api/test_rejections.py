"""``/rejections/``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deliveries.models import Rejection
from tests.deliveries.api.cases import API, ApiTestCase
from tests.factories import make_endpoint

URL = f"{API}/rejections/"


class RejectionTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="orders", provider="github")

    def refuse(self, **values: Any) -> Rejection:
        at = datetime(2026, 11, 22, 10, tzinfo=UTC)
        return Rejection.objects.create(
            **{
                "endpoint": self.endpoint,
                "reason": "signature_mismatch",
                "received_at": at,
                "source": "192.0.2.7",
                "headers": {"Accept": "*/*"},
                "raw_body": b'{"password": "x"}',
                "body_bytes": 17,
                **values,
            }
        )

    def test_say_why_and_what_to_do(self) -> None:
        rejection = self.refuse()

        item = self.client.get(f"{URL}{rejection.pk}/").json()

        self.assertEqual(
            set(item),
            {
                "id", "endpoint", "received_at", "reason", "explanation", "detail", "source", "request_id",
                "content_type", "headers", "query_string", "body_bytes", "diagnosis", "not_reverifiable_because",
            },
        )  # fmt: skip
        self.assertEqual((item["endpoint"], item["reason"]), ("orders", "signature_mismatch"))
        self.assertEqual(item["explanation"], rejection.explanation)
        self.assertGreater(len(item["explanation"].split()), 3)
        listed = {name: item[name] for name in item if name not in {"diagnosis", "not_reverifiable_because"}}
        self.assertEqual(self.client.get(URL).json()["results"], [listed])

    def test_are_listed_in_a_fixed_number_of_queries_without_their_bodies(self) -> None:
        for _ in range(3):
            self.refuse()

        # token, permissions (2), restrictions, rejections with endpoints
        with self.assertNumQueries(5):
            response = self.client.get(URL)

        self.assertEqual(len(response.json()["results"]), 3)
        self.assertNotContains(response, "password")

    def test_are_found_by_each_filter(self) -> None:
        self.refuse()
        self.refuse(reason="timestamp_stale", source="198.51.100.1", received_at=datetime(2026, 11, 23, tzinfo=UTC))

        def reasons(**parameters: str) -> list[str]:
            return [item["reason"] for item in self.client.get(URL, parameters).json()["results"]]

        self.assertEqual(reasons(endpoint="orders"), ["timestamp_stale", "signature_mismatch"])
        self.assertEqual(reasons(endpoint="other"), [])
        self.assertEqual(reasons(reason="timestamp_stale"), ["timestamp_stale"])
        self.assertEqual(reasons(source="192.0.2.7"), ["signature_mismatch"])
        self.assertEqual(reasons(received_after="2026-11-23T00:00:00Z"), ["timestamp_stale"])
        self.assertEqual(reasons(received_before="2026-11-23T00:00:00Z"), ["signature_mismatch"])
