from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any

from integrations.contracts import InboundRequest
from integrations.verification import Hmac, Timestamp
from tests.integrations.requests import NOW, make_request
from tests.integrations.verification.cases import SECRET, SchemeTestCase


class TimestampTests(SchemeTestCase):
    def scheme(self, unit: Any, **values: Any) -> Hmac:
        timestamp = Timestamp(headers=("X-Time",), unit=unit, **values)
        return Hmac(headers=("X-Sig",), template="{timestamp}{body}", timestamp=timestamp)

    def signed_at(self, scheme: Hmac, text: str) -> InboundRequest:
        content = text.encode() + b"{}"
        signature = hmac.new(SECRET.encode(), content, "sha256").hexdigest()
        return make_request(headers={"X-Sig": signature, "X-Time": text})

    def test_takes_every_form_that_providers_use(self) -> None:
        seconds = str(int(NOW.timestamp()))
        for unit, text in (
            ("s", seconds),
            ("ms", f"{seconds}999"),
            ("iso8601", "2026-11-22T10:00:00Z"),
            ("iso8601", "2026-11-22T10:00:00.123456789Z"),
            ("iso8601", "2026-11-22T12:00:00.5+02:00"),
        ):
            with self.subTest(text=text):
                scheme = self.scheme(unit)
                self.assertEqual(scheme.verify(self.signed_at(scheme, text), [SECRET]), 0)

    def test_refuses_other_forms_however_well_signed(self) -> None:
        seconds = str(int(NOW.timestamp()))
        for unit, text in (
            ("s", f"{seconds}000"),
            ("s", f"{seconds}.0"),
            ("s", f"+{seconds}"),
            ("s", f"{seconds[:3]}_{seconds[3:]}"),
            ("ms", f"{seconds}0000"),
            ("iso8601", seconds),
            ("iso8601", "2026-11-22T10:00:00"),
            ("iso8601", "2026-11-22 10:00:00Z"),
            ("iso8601", "2026-13-22T10:00:00Z"),
            ("iso8601", "0000-01-01T00:00:00Z"),
            ("iso8601", "2026-11-22T10:00:00+99:99"),
            ("iso8601", "20261122T100000Z"),
        ):
            with self.subTest(text=text):
                scheme = self.scheme(unit)
                self.assertEqual(self.refused(scheme, self.signed_at(scheme, text)), "timestamp_unreadable")

    def test_survives_the_ends_of_the_calendar(self) -> None:
        scheme = self.scheme("iso8601")
        for text, reason in (
            ("0001-01-01T00:00:00+14:00", "timestamp_stale"),
            ("9999-12-31T23:59:59-14:00", "timestamp_in_future"),
        ):
            self.assertEqual(self.refused(scheme, self.signed_at(scheme, text)), reason)
        self.assertEqual(self.refused(self.scheme("s"), self.signed_at(scheme, "9999999999")), "timestamp_in_future")

    def test_may_be_ahead_where_only_the_past_is_judged(self) -> None:
        scheme = self.scheme("s", future=False)
        early = scheme.sign(make_request(), SECRET, now=NOW + timedelta(days=1))
        late = scheme.sign(make_request(), SECRET, now=NOW - timedelta(days=1))

        self.assertEqual(scheme.verify(early, [SECRET]), 0)
        self.assertEqual(self.refused(scheme, late), "timestamp_stale")

    def test_may_be_of_any_age_where_none_is_judged(self) -> None:
        scheme = self.scheme("s", tolerance_seconds=None)
        late = scheme.sign(make_request(), SECRET, now=NOW - timedelta(days=4000))

        self.assertEqual(scheme.verify(late, [SECRET]), 0)
