"""Every error has the contract's shape, and no input is a 500."""

from __future__ import annotations

import json
from unittest.mock import patch

from django.db import OperationalError
from django.test import override_settings
from rest_framework.exceptions import Throttled
from rest_framework.test import APIClient

from deliveries.api.endpoints import EndpointViewSet
from integrations.models import Endpoint
from tests.deliveries.api.cases import API, ApiTestCase
from tests.factories import make_delivery, make_endpoint, make_route

ENDPOINTS = f"{API}/endpoints/"


class ErrorTests(ApiTestCase):
    def post_raw(self, body: bytes, content_type: str = "application/json") -> object:
        return self.client.post(ENDPOINTS, body, content_type=content_type)

    def test_answers_404_in_shape_wherever_there_is_nothing(self) -> None:
        for path in ("/api/", "/api/v2/x", f"{API}/nothing/", f"{API}/endpoints/a/b/c", f"{API}/events/no-uuid/"):
            with self.subTest(path=path):
                self.assert_error(self.client.get(path), 404, "not_found")
                self.assert_error(APIClient().post(path, {}), 404, "not_found")
        absent = "019ab000-0000-7000-8000-000000000000"
        for resource in ("routes", "events", "deliveries", "rejections"):
            with self.subTest(resource=resource):
                self.assert_error(self.client.get(f"{API}/{resource}/{absent}/"), 404, "not_found")

    def test_answers_404_to_any_slug_that_is_none(self) -> None:
        for slug in ("x" * 5000, "%00", "%F0%9F%92%A9", "..%2F", "a b"):
            with self.subTest(slug=slug[:20]):
                self.assert_error(self.client.get(f"{ENDPOINTS}{slug}/"), 404, "not_found")

    def test_answers_405_406_413_415_and_400_in_shape(self) -> None:
        self.assert_error(self.client.put(ENDPOINTS, {}), 405, "method_not_allowed")
        self.assert_error(self.client.options(ENDPOINTS), 405, "method_not_allowed")
        self.assert_error(self.client.get(ENDPOINTS, headers={"Accept": "text/html"}), 406, "not_acceptable")
        self.assert_error(self.post_raw(b"slug=x", "application/x-www-form-urlencoded"), 415, "unsupported_media_type")
        self.assert_error(self.post_raw(b"{"), 400, "malformed_json")
        response = self.client.post(ENDPOINTS, headers={"Transfer-Encoding": "chunked"})
        self.assert_error(response, 411, "length_required")
        with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100):
            self.assert_error(self.post_raw(b'"%s"' % (b"x" * 100)), 413, "payload_too_large")

    def test_answers_429_with_the_time_to_wait(self) -> None:
        with patch.object(EndpointViewSet, "check_throttles", side_effect=Throttled(wait=12)):
            response = self.client.get(ENDPOINTS)

        self.assert_error(response, 429, "rate_limited")
        self.assertEqual(response["Retry-After"], "12")

    def test_answers_503_while_the_database_is_away(self) -> None:
        with patch.object(EndpointViewSet, "get_queryset", side_effect=OperationalError("host db.internal refused")):
            response = self.client.get(ENDPOINTS)

        self.assert_error(response, 503, "unavailable")
        self.assertIn("Retry-After", response)
        self.assertNotContains(response, "db.internal", status_code=503)

    def test_answers_500_without_a_word_about_the_fault(self) -> None:
        failing = patch.object(EndpointViewSet, "get_queryset", side_effect=RuntimeError("s3cret"))
        with failing, self.assertLogs("deliveries.api.errors", "ERROR"):
            response = self.client.get(ENDPOINTS)

        self.assert_error(response, 500, "internal_error")
        self.assertNotContains(response, "s3cret", status_code=500)

    def test_carries_the_request_id(self) -> None:
        response = self.client.get(f"{API}/nothing/", headers={"X-Request-ID": "abc-1"})

        self.assertEqual(response["X-Request-ID"], "abc-1")


class BodyTests(ApiTestCase):
    def assert_refused(self, body: bytes) -> None:
        response = self.client.post(ENDPOINTS, body, content_type="application/json")
        self.assertEqual(response.status_code, 400, response.content[:500])
        self.assertEqual(set(response.json()), {"error", "detail", "fields"})

    def test_of_any_kind_that_is_no_object_is_refused(self) -> None:
        for body in (b"[]", b"null", b"1", b'"x"', b"true", b"[[{}]]", b"{}"):
            with self.subTest(body=body):
                self.assert_refused(body)

    def test_that_is_no_json_is_refused(self) -> None:
        bodies = {
            "cut": b'{"slug": ',
            "not UTF-8": b'{"slug": "\xff"}',
            "UTF-16": '{"slug": "a"}'.encode("utf-16"),
            "NaN": b'{"slug": "a", "provider": "internal", "rate_per_second": NaN}',
            "infinity": b'{"slug": "a", "provider": "internal", "rate_per_second": -Infinity}',
            "too large a number": b'{"slug": "a", "provider": "internal", "rate_per_second": 1e999}',
            "too many digits": b'{"slug": "a", "provider": "internal", "priority": %s}' % (b"9" * 5000),
            "too deep": b'{"slug": "a", "provider": "internal", "settings": %s%s}' % (b"[" * 10_000, b"]" * 10_000),
            "deep": b'{"slug": "a", "provider": "internal", "settings": %s%s}' % (b"[" * 200, b"]" * 200),
            "much too deep": b"[" * 1_000_000,
        }
        for name, body in bodies.items():
            with self.subTest(name):
                self.assert_refused(body)
        self.assertFalse(Endpoint.objects.exists())

    def test_with_what_no_database_keeps_is_refused_by_name(self) -> None:
        for field in ("name", "settings", "allowed_networks", "colour"):
            for text in ("a\x00b", "a\ud800b"):
                for value in (text, [text], {"header": text}, {text: 1}):
                    with self.subTest(field=field, value=value):
                        body = json.dumps({"slug": "a", "provider": "generic_hmac", field: value})
                        response = self.client.post(ENDPOINTS, body, content_type="application/json")
                        self.assert_error(response, 400, "validation_error", field)
        body = json.dumps({"slug": "a", "provider": "generic_hmac", "\ud800": 1})
        response = self.client.post(ENDPOINTS, body, content_type="application/json")
        self.assert_error(response, 400, "validation_error", "\\ud800")

    def test_with_a_thousand_unknown_fields_gets_a_short_answer(self) -> None:
        body = {f"field{number}" * 100: number for number in range(1000)}

        response = self.client.post(ENDPOINTS, body)

        self.assertEqual(response.status_code, 400)
        self.assertLess(len(response.content), 20_000)


class QueryTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_delivery(make_route(make_endpoint()))

    def test_of_nonsense_is_refused_and_never_a_500(self) -> None:
        cases = [
            ("events", "received_after", value)
            for value in (
                "yesterday", "NaN", "\x00", "2026-13-01T00:00:00Z", "2026-11-31", "0001-01-01T00:00:00+23:59",
                "9999-12-31T23:59:59-23:59", "2026-11-22T10:00:00Z" * 50,
            )
        ]  # fmt: skip
        cases += [("events", "verdict", "sure"), ("events", "endpoint", "a\x00"), ("events", "search", "\x00")]
        cases += [("events", "search", "x" * 300), ("events", "event_id", "\x00"), ("events", "colour", "red")]
        cases += [("deliveries", "status", "asleep"), ("deliveries", "route", "1"), ("deliveries", "event", "\x00")]
        cases += [("rejections", "source", "\x00"), ("endpoints", "state", "x"), ("routes", "handler", "\x00")]
        for resource in ("events", "deliveries", "rejections", "endpoints", "routes"):
            cases += [(resource, "page_size", value) for value in ("0", "201", "-1", "x", "9" * 5000, "٣", "")]
            cases += [(resource, "cursor", value) for value in ("", "x", "cD0x", "cD14", "\x00", "é", "bz0tMQ==", "=")]
        for resource, name, value in cases:
            with self.subTest(resource=resource, name=name, value=value[:30]):
                self.assert_error(self.client.get(f"{API}/{resource}/", {name: value}), 400, "validation_error", name)

    def test_of_moments_at_the_edge_of_the_calendar_is_answered(self) -> None:
        for value in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"):
            for name in ("received_after", "received_before"):
                with self.subTest(name=name, value=value):
                    self.assertEqual(self.client.get(f"{API}/events/", {name: value}).status_code, 200)

    def test_of_a_thousand_parameters_is_refused(self) -> None:
        query = "&".join(f"a{number}=1" for number in range(1100))

        self.assertEqual(self.client.get(f"{API}/events/?{query}").status_code, 400)
