from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpResponse
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from deliveries.models import Event, Rejection
from deliveries.receiving import endpoints, shared
from integrations.models import Endpoint
from tests.deliveries.receiving.cases import SECRET, Sender, signature, signed_endpoint
from tests.factories import make_endpoint, make_route

BODY = b'{"action": "opened"}'


def github(secret: str = SECRET, **values: Any) -> Endpoint:
    return make_endpoint(**{"provider": "github", "secret": secret, "shared_url": True, **values})


def from_github(secret: str = SECRET, body: bytes = BODY) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={signature(body, secret)}", "X-GitHub-Event": "issues"}


class SharedSender(Sender):
    def send_shared(
        self, headers: Mapping[str, str], body: bytes = BODY, *, path: str = "/hooks", **environ: Any
    ) -> HttpResponse:
        return self.client.generic("POST", path, body, "application/json", headers=headers, **environ)

    def assert_refused(self, response: HttpResponse, status: int, error: str) -> None:
        self.assertEqual((response.status_code, response.json()), (status, {"error": error}))


class TheSharedUrl(SharedSender, TestCase):
    def test_takes_what_an_endpoint_recognises_and_proves(self) -> None:
        make_route(endpoint := github())
        signed_endpoint(shared_url=True)

        for path, secret in (("/hooks", SECRET), ("/hooks/", SECRET)):
            with self.subTest(path):
                body = path.encode()
                response = self.send_shared(from_github(secret, body), body, path=path)
                # The body is no JSON: the proof comes before the form.
                self.assert_refused(response, 400, "malformed_payload")
        answer = self.send_shared(from_github()).json()

        event = Event.objects.get()
        self.assertEqual(answer, {"status": "accepted", "event": str(event.pk), "deliveries": 1})
        self.assertEqual((event.endpoint, event.event_type), (endpoint, "issues.opened"))

    def test_lets_the_sender_come_again_while_the_key_of_the_settings_is_lost(self) -> None:
        github()

        with (
            self.settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()]),
            self.assertLogs("deliveries.receiving.endpoints", "ERROR"),
            self.assertLogs("django.request", "ERROR"),
        ):
            self.assert_refused(self.send_shared(from_github()), 503, "unavailable")
        endpoints.forget()

        self.assertEqual(self.send_shared(from_github()).status_code, 200)

    def test_finds_the_endpoint_whose_secret_fits(self) -> None:
        first, second, third = github("1"), github("2"), github("3")

        for endpoint, secret in ((second, "2"), (third, "3"), (first, "1")):
            answer = self.send_shared(from_github(secret)).json()
            self.assertEqual(Event.objects.get(pk=answer["event"]).endpoint, endpoint)

    def test_leaves_the_endpoints_own_url_as_it_is(self) -> None:
        endpoint = github()

        response = self.send(endpoint, BODY, headers=from_github(), secret="")

        self.assertEqual(response.status_code, 200)

    def test_knows_no_endpoint_that_does_not_allow_it(self) -> None:
        github(shared_url=False), github(state="disabled")

        self.assert_refused(self.send_shared(from_github()), 400, "unknown_provider")
        self.assertEqual(Rejection.objects.count(), 0)

    def test_never_takes_what_proves_nothing(self) -> None:
        Endpoint.objects.create(slug="open", provider="generic_none", shared_url=True)

        self.assert_refused(self.send_shared(from_github()), 400, "unknown_provider")

    def test_knows_of_a_change_at_once(self) -> None:
        endpoint = github()
        self.assertEqual(self.send_shared(from_github()).status_code, 200)

        endpoint.shared_url = False
        endpoint.save()

        self.assert_refused(self.send_shared(from_github()), 400, "unknown_provider")

    def test_answers_no_other_method(self) -> None:
        make_endpoint(provider="meta", secret=SECRET, shared_url=True, settings={"verify_token": "v"})
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            response = self.client.generic(method, "/hooks?hub.mode=subscribe&hub.verify_token=v&hub.challenge=1")
            self.assertEqual((response.status_code, response["Allow"]), (405, "POST"))

    def test_answers_a_handshake_that_is_proven(self) -> None:
        from deliveries.receiving.samples import signed_sample

        endpoint = make_endpoint(provider="slack", secret=SECRET, shared_url=True)
        request = signed_sample(endpoint, payload={"type": "url_verification", "challenge": "abc"})

        response = self.send_shared(request.headers, request.body)

        self.assertEqual(response.status_code, 200)
        self.assertIn(b"abc", response.content)
        self.assertEqual(Event.objects.count(), 0)
        endpoint.refresh_from_db()
        self.assertIsNotNone(endpoint.handshake_at)

    def test_prefers_the_endpoint_that_knows_more_of_the_headers(self) -> None:
        github()
        preset = mock.Mock(wraps=endpoints.providers["github"])
        preset.recognised_headers.side_effect = lambda settings: frozenset({"x-gitea-event", "x-hub-signature-256"})
        other = make_endpoint(provider="slack", shared_url=True)
        with mock.patch.dict(endpoints.providers._entries, {"slack": preset}):
            endpoints.forget()
            request = mock.Mock(headers={"X-Gitea-Event": "push", "X-Hub-Signature-256": "0"})
            found = endpoints.recognising(request)
        endpoints.forget()

        self.assertEqual(found[0], other.slug)
        self.assertEqual(len(found), 2)

    def test_takes_no_query_for_a_stranger_that_nobody_recognises(self) -> None:
        github()
        self.send_shared({})

        with CaptureQueriesContext(connection) as captured:
            self.send_shared({})

        self.assertEqual(len(captured), 0)

    def test_cannot_be_allowed_where_no_header_shows_the_provider(self) -> None:
        for provider, settings in (("generic_none", {}), ("generic_basic", {}), ("generic_bearer", {})):
            if provider not in endpoints.providers:
                continue
            with self.subTest(provider), self.assertRaises(ValidationError) as refusal:
                Endpoint(slug="a", provider=provider, settings=settings, shared_url=True).full_clean()
            self.assertEqual(set(refusal.exception.message_dict), {"shared_url"})
        Endpoint(slug="a", provider="generic_hmac", shared_url=True).full_clean()


class ARefusalAtTheSharedUrl(SharedSender, TestCase):
    def test_is_401_where_no_secret_fits_and_is_recorded_once(self) -> None:
        first, _ = github("1"), github("2")

        response = self.send_shared(from_github("wrong"))

        self.assert_refused(response, 401, "invalid_signature")
        rejection = Rejection.objects.get()
        self.assertEqual((rejection.endpoint, rejection.reason), (first, "signature_mismatch"))
        self.assertEqual(rejection.detail["endpoints_tried"], 2)

    def test_looks_the_same_whichever_and_however_many_endpoints_there_are(self) -> None:
        github("1", name="payroll")
        one = self.send_shared(from_github("wrong"))
        for secret in "23":
            github(secret)
        github("", name="no secret")
        several = self.send_shared(from_github("wrong"))

        def shown(response: HttpResponse) -> tuple[Any, ...]:
            kept = {name: text for name, text in response.headers.items() if name != "X-Request-ID"}
            return response.status_code, response.content, kept

        self.assertEqual(shown(one), shown(several))

    def test_comes_after_a_bounded_number_of_tries(self) -> None:
        for number in range(shared.MAX_TRIES + 5):
            github(str(number))
        with mock.patch.object(
            shared.SharedReceiveView,
            "perform_authentication",
            autospec=True,
            side_effect=shared.SharedReceiveView.perform_authentication,
        ) as tried:
            self.send_shared(from_github("wrong"))

        self.assertEqual(tried.call_count, shared.MAX_TRIES)

    def test_counts_every_secret_of_an_endpoint_as_a_try(self) -> None:
        for number in range(4):
            endpoint = github(str(number))
            for more in range(shared.MAX_KEYS):
                endpoint.secrets.create(label=str(more), value=f"{number}-{more}")

        self.send_shared(from_github("wrong"))

        self.assertEqual(Rejection.objects.get().detail["endpoints_tried"], 2)

    def test_leaves_out_the_endpoints_that_would_refuse_before_the_proof(self) -> None:
        github("1", allowed_networks=["192.0.2.0/24"])
        github("2", content_types=["application/xml"])
        github("3", max_body_bytes=3)
        last = github("4")

        answer = self.send_shared(from_github("4")).json()
        responses = [self.send_shared(from_github(secret)) for secret in "123"]

        self.assertEqual(Event.objects.get(pk=answer["event"]).endpoint, last)
        for response in responses:
            self.assert_refused(response, 401, "invalid_signature")
        self.assertEqual(self.send_shared(from_github("1"), REMOTE_ADDR="192.0.2.7").status_code, 200)

    def test_comes_in_the_order_of_an_endpoints_own_url(self) -> None:
        endpoint = github(
            "1",
            max_body_bytes=30,
            allowed_networks=["127.0.0.1/32"],
            source_rate_per_second=0.001,
            content_types=["application/json"],
        )
        wrong = from_github("wrong")

        self.assert_refused(self.send_shared(wrong, b"x" * 31, REMOTE_ADDR="192.0.2.1"), 413, "payload_too_large")
        self.assert_refused(self.send_shared(wrong, REMOTE_ADDR="192.0.2.1"), 403, "source_not_allowed")
        self.assert_refused(self.send_shared({**wrong, "Content-Encoding": "gzip"}), 415, "unsupported_media_type")
        self.assert_refused(self.send_shared({**wrong, "Content-Encoding": "gzip"}), 429, "rate_limited")
        self.assertEqual(
            list(Rejection.objects.order_by("pk").values_list("endpoint", "reason")),
            [
                (endpoint.pk, reason)
                for reason in (
                    "announced_too_large",
                    "source_not_allowed",
                    "content_encoding",
                    "source_rate_limited",
                )
            ],
        )

    def test_of_a_chunked_body_that_is_too_large_for_an_endpoint_leaves_that_one_out(self) -> None:
        small, large = github("1", max_body_bytes=5), github("2")
        from io import BytesIO

        def send(secret: str) -> HttpResponse:
            return self.client.generic(
                "POST",
                "/hooks",
                b"",
                "application/json",
                headers=from_github(secret),
                **{"wsgi.input": BytesIO(BODY), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
            )

        self.assertEqual(send("2").status_code, 200)
        self.assert_refused(send("1"), 401, "invalid_signature")
        self.assertEqual((small.events.count(), large.events.count()), (0, 1))

    def test_over_the_proven_endpoints_rate_is_429(self) -> None:
        github(rate_per_second=0.001)
        self.send_shared(from_github())

        self.assert_refused(self.send_shared(from_github()), 429, "rate_limited")
