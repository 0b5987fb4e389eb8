from __future__ import annotations

from unittest import mock
from uuid import UUID

from django.test import TestCase
from django.utils import timezone

from deliveries.models import Delivery, Event, Rejection, RejectionCount
from integrations.models import Endpoint
from tests.deliveries.receiving.cases import SECRET, Sender, signature, signed_endpoint
from tests.factories import make_endpoint, make_route


class AnAnswer(Sender, TestCase):
    def test_to_an_event_is_200_with_its_id_and_the_number_of_deliveries(self) -> None:
        endpoint = signed_endpoint()
        make_route(endpoint)

        response = self.send(endpoint, {"type": "push"}, event_id="1")

        event = Event.objects.get()
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.json(), {"status": "accepted", "event": str(event.pk), "deliveries": 1})
        self.assertEqual(response["Content-Type"], "application/json")

    def test_to_a_repeated_event_is_200_with_the_id_of_the_first(self) -> None:
        endpoint = signed_endpoint()

        first = self.send(endpoint, event_id="1").json()
        again = self.send(endpoint, event_id="1")

        self.assertEqual(again.status_code, 200)
        self.assertEqual(again.json(), {"status": "duplicate", "event": first["event"]})

    def test_has_the_status_that_the_endpoint_sets_for_accepted_events(self) -> None:
        self.assertEqual(self.send(signed_endpoint(accepted_status=202)).status_code, 202)

    def test_with_a_status_that_allows_no_body_has_none(self) -> None:
        response = self.send(signed_endpoint(accepted_status=204))

        self.assertEqual((response.status_code, response.content), (204, b""))

    def test_carries_the_senders_request_id_if_it_is_sane(self) -> None:
        response = self.send(signed_endpoint(), headers={"X-Request-ID": "abc-123"})

        self.assertEqual(response["X-Request-ID"], "abc-123")
        self.assertEqual(Event.objects.get().request_id, "abc-123")

    def test_carries_a_request_id_of_its_own_if_the_senders_is_not_sane(self) -> None:
        response = self.send(signed_endpoint(), headers={"X-Request-ID": "a b <script>"})

        self.assertEqual(UUID(response["X-Request-ID"]).version, 4)

    def test_is_json_whatever_the_sender_accepts(self) -> None:
        endpoint = signed_endpoint()
        for accept in ("text/html", "application/xml;q=0.1", "nonsense", "*/*; q=0"):
            with self.subTest(accept):
                self.assertEqual(self.send(endpoint, headers={"Accept": accept}).status_code, 200)

    def test_comes_at_the_url_with_a_trailing_slash_too(self) -> None:
        endpoint = signed_endpoint()

        response = self.client.generic(
            "POST", f"/hooks/{endpoint.slug}/", b"{}", "application/json", headers={"X-Signature": signature(b"{}")}
        )

        self.assertEqual((response.status_code, response.json()["status"]), (200, "accepted"))

    def test_ignores_what_drf_would_read_into_the_query(self) -> None:
        self.assertEqual(self.send(signed_endpoint(), query="?format=xml&_method=PUT").status_code, 200)


class ARefusal(Sender, TestCase):
    def assert_refused(self, response, status: int, error: str) -> None:
        self.assertEqual((response.status_code, response.json()), (status, {"error": error}))

    def test_of_a_proven_body_that_is_not_what_its_type_says_is_400(self) -> None:
        self.assert_refused(self.send(signed_endpoint(), b"{nonsense"), 400, "malformed_payload")

    def test_of_a_shared_url_that_no_endpoint_recognises_is_400(self) -> None:
        for path in ("/hooks", "/hooks/"):
            self.assert_refused(self.client.post(path), 400, "unknown_provider")

    def test_of_a_missing_proof_is_401(self) -> None:
        response = self.send(signed_endpoint(), secret="")

        self.assert_refused(response, 401, "invalid_signature")
        self.assertTrue(response["WWW-Authenticate"])

    def test_of_a_wrong_proof_is_401(self) -> None:
        self.assert_refused(self.send(signed_endpoint(), secret="another"), 401, "invalid_signature")

    def test_of_all_requests_to_an_endpoint_without_a_live_secret_is_401(self) -> None:
        self.assert_refused(self.send(signed_endpoint(secret="")), 401, "invalid_signature")
        self.assertEqual(Rejection.objects.get().reason, "no_live_secret")

    def test_of_all_requests_to_an_endpoint_whose_provider_is_gone_is_401(self) -> None:
        endpoint = make_endpoint(provider="no_longer_installed", secret=SECRET)

        self.assert_refused(self.send(endpoint), 401, "invalid_signature")
        self.assertEqual(Rejection.objects.get().reason, "settings_unusable")

    def test_of_a_source_outside_the_networks_is_403(self) -> None:
        endpoint = signed_endpoint(allowed_networks=["192.0.2.0/24"])

        self.assert_refused(self.send(endpoint, REMOTE_ADDR="198.51.100.7"), 403, "source_not_allowed")
        self.assertEqual(self.send(endpoint, REMOTE_ADDR="192.0.2.7").status_code, 200)

    def test_of_an_endpoint_that_does_not_answer_is_404(self) -> None:
        retired = signed_endpoint()
        retired.retire(now=timezone.now())
        for slug in (
            "nobody",
            signed_endpoint(state="disabled").slug,
            make_endpoint(provider="internal").slug,
            retired.slug,
        ):
            with self.subTest(slug):
                self.assert_refused(self.client.post(f"/hooks/{slug}"), 404, "unknown_endpoint")

    def test_of_a_path_that_cannot_be_a_slug_is_404(self) -> None:
        for path in ("a/b", "a.b", "%00", "%ff%fe", "a%0a", "a%2Fb", "ä", "x" * 5000, "..%2f", "%F0%9F%98%80/", "//"):
            with self.subTest(path):
                self.assert_refused(self.client.post(f"/hooks/{path}"), 404, "unknown_endpoint")

    def test_of_other_methods_is_405_also_where_nothing_is(self) -> None:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
            for slug in (signed_endpoint().slug, "nobody", ""):
                with self.subTest(method=method, slug=slug):
                    response = self.client.generic(method, f"/hooks/{slug}")
                    self.assertEqual((response.status_code, response["Allow"]), (405, "POST"))
                    if method != "HEAD":
                        self.assertEqual(response.json(), {"error": "method_not_allowed"})

    def test_of_a_body_over_the_limit_is_413(self) -> None:
        endpoint = signed_endpoint(max_body_bytes=10)

        self.assert_refused(self.send(endpoint, b'"12345678 "'), 413, "payload_too_large")
        self.assertEqual(self.send(endpoint, b'"12345678"').status_code, 200)

    def test_of_a_content_encoding_is_415(self) -> None:
        endpoint = signed_endpoint()
        for encoding in ("gzip", "br", "identity, gzip", "GZIP", "x"):
            with self.subTest(encoding):
                response = self.send(endpoint, headers={"Content-Encoding": encoding})
                self.assert_refused(response, 415, "unsupported_media_type")
        self.assertEqual(self.send(endpoint, headers={"Content-Encoding": "Identity"}).status_code, 200)

    def test_of_a_type_outside_the_endpoints_own_list_is_415(self) -> None:
        endpoint = signed_endpoint(content_types=["application/json"])

        self.assert_refused(self.send(endpoint, content_type="text/plain"), 415, "unsupported_media_type")
        self.assertEqual(self.send(endpoint, content_type="Application/JSON; charset=utf-8").status_code, 200)

    def test_of_too_many_requests_from_one_source_is_429(self) -> None:
        endpoint = signed_endpoint(source_rate_per_second=0.1)

        self.send(endpoint, secret="wrong", REMOTE_ADDR="192.0.2.1")
        response = self.send(endpoint, REMOTE_ADDR="192.0.2.1")

        self.assert_refused(response, 429, "rate_limited")
        self.assertIn(int(response["Retry-After"]), range(1, 11))
        self.assertEqual(self.send(endpoint, REMOTE_ADDR="192.0.2.2").status_code, 200)

    def test_of_too_many_proven_requests_is_429_and_strangers_cannot_use_the_rate_up(self) -> None:
        endpoint = signed_endpoint(rate_per_second=0.1)

        for _ in range(3):
            self.send(endpoint, secret="wrong")
        self.assertEqual(self.send(endpoint, event_id="1").status_code, 200)
        response = self.send(endpoint, event_id="2")

        self.assert_refused(response, 429, "rate_limited")
        self.assertIn(int(response["Retry-After"]), range(1, 11))

    def test_stores_no_event(self) -> None:
        make_route(endpoint := signed_endpoint())

        self.send(endpoint, secret="wrong")
        self.send(endpoint, b"{nonsense")

        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (0, 0))


class TheOrderOfChecks(Sender, TestCase):
    """Everything is wrong with the request; one thing after the other is put right."""

    def test_is_the_one_that_the_documentation_promises(self) -> None:
        endpoint = signed_endpoint(
            max_body_bytes=10,
            allowed_networks=["192.0.2.0/24"],
            source_rate_per_second=0.001,
            content_types=["application/json"],
            rate_per_second=0.001,
        )
        elsewhere, here = {"REMOTE_ADDR": "198.51.100.1"}, {"REMOTE_ADDR": "192.0.2.9"}
        # Both rates are used up by one good request each.
        self.assertEqual(self.send(endpoint, b"{}", **here).status_code, 200)
        large, bad, chunked = b"[" * 11, b"[", {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}

        def status(body: bytes, **kwargs) -> int:
            return self.send(endpoint, body, content_type="text/html", secret="wrong", **kwargs).status_code

        def rate(value: float | None) -> None:
            endpoint.source_rate_per_second = value
            endpoint.save()

        self.assertEqual(self.client.put("/hooks/nobody", large).status_code, 405)
        self.assertEqual(self.client.post("/hooks/nobody", large, "text/html").status_code, 404)
        self.assertEqual(status(large, **elsewhere), 413)
        self.assertEqual(status(large, **elsewhere, **chunked), 403)
        self.assertEqual(status(large, **here, **chunked), 429)
        rate(None)
        self.assertEqual(status(large, **here, **chunked), 413)
        self.assertEqual(status(bad, **here), 415)
        self.assertEqual(self.send(endpoint, bad, secret="wrong", **here).status_code, 401)
        self.assertEqual(self.send(endpoint, bad, **here).status_code, 429)
        endpoint.rate_per_second = None
        endpoint.save()
        self.assertEqual(self.send(endpoint, bad, **here).status_code, 400)
        self.assertEqual(self.send(endpoint, b"[]", **here).status_code, 200)

    def test_reads_nothing_of_a_body_that_is_announced_as_too_large(self) -> None:
        endpoint = signed_endpoint(max_body_bytes=10)
        stream = mock.Mock()  # stands for the connection: any use of it would be a read

        response = self.client.generic(
            "POST",
            f"/hooks/{endpoint.slug}",
            b"",
            "application/json",
            **{"CONTENT_LENGTH": str(100 * 1024 * 1024), "wsgi.input": stream},
        )

        self.assertEqual(response.status_code, 413)
        self.assertEqual(stream.mock_calls, [])


class ARefusedRequest(Sender, TestCase):
    def test_is_counted_and_kept_with_the_exact_reason(self) -> None:
        plain = {"content_types": ["application/json"], "max_body_bytes": 20, "allowed_networks": ["127.0.0.0/8"]}
        endpoint = signed_endpoint(**plain)

        self.send(endpoint, secret="")
        self.send(endpoint, secret="wrong")
        self.send(endpoint, b"{")
        self.send(endpoint, b" " * 21)
        self.send(endpoint, content_type="text/plain")
        self.send(endpoint, headers={"Content-Encoding": "gzip"})
        self.send(endpoint, REMOTE_ADDR="198.51.100.1")

        reasons = {
            "signature_missing",
            "signature_mismatch",
            "json_invalid",
            "announced_too_large",
            "content_type",
            "content_encoding",
            "source_not_allowed",
        }
        self.assertEqual(set(Rejection.objects.values_list("reason", flat=True)), reasons)
        self.assertEqual(set(RejectionCount.objects.values_list("reason", "count")), {(r, 1) for r in reasons})
        for rejection in Rejection.objects.all():
            self.assertTrue(rejection.explanation, rejection.reason)

    def test_leaves_nothing_where_no_endpoint_refused_it(self) -> None:
        self.client.post("/hooks/nobody")
        self.client.put(f"/hooks/{signed_endpoint().slug}")

        self.assertEqual((Rejection.objects.count(), RejectionCount.objects.count()), (0, 0))


class AHandshake(Sender, TestCase):
    def meta(self, query: str, **values):
        endpoint = make_endpoint(
            **{"provider": "meta", "secret": SECRET, "settings": {"verify_token": "mine"}, **values}
        )
        return self.client.get(f"/hooks/{endpoint.slug}?{query}")

    def test_by_get_is_answered_as_the_provider_wants(self) -> None:
        response = self.meta("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=mine")

        self.assertEqual((response.status_code, response.content), (200, b"1158201444"))
        self.assertEqual(Event.objects.count(), 0)
        self.assertIsNotNone(Endpoint.objects.get().handshake_at)

    def test_with_a_wrong_token_is_401_and_kept_without_the_token(self) -> None:
        response = self.meta("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=guess")

        self.assertEqual((response.status_code, response.json()), (401, {"error": "invalid_signature"}))
        self.assertNotIn("guess", Rejection.objects.get().query_string)
        self.assertIsNone(Endpoint.objects.get().handshake_at)

    def test_of_an_endpoint_without_a_live_secret_is_401(self) -> None:
        query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=mine"

        self.assertEqual(self.meta(query, secret="").status_code, 401)

    def test_is_405_where_the_request_is_none(self) -> None:
        self.assertEqual(self.meta("").status_code, 405)

    def test_by_a_method_that_the_provider_does_not_use_is_405(self) -> None:
        endpoint = make_endpoint(provider="meta", secret=SECRET, settings={"verify_token": "mine"})

        self.assertEqual(self.client.options(f"/hooks/{endpoint.slug}").status_code, 405)
