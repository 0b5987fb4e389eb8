"""Why a request was refused, and what would have made it pass."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from datetime import timedelta
from typing import Any

from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries.forensics import MOST_SECONDS, Diagnosis, diagnose
from deliveries.models import Rejection
from integrations.models import Endpoint, Secret
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import API, ApiTestCase
from tests.deliveries.receiving.cases import SECRET, signature
from tests.factories import make_endpoint

BODY = b'{"type": "paid", "url": "https://example.com/\xc3\xa4"}'


def hmac_of(content: bytes, key: bytes = SECRET.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.new(key, content, algorithm).digest()


class Refused(TestCase):
    """Sends what is refused, and asks why."""

    def endpoint(self, provider: str = "generic_hmac", *, secret: str = SECRET, **values: Any) -> Endpoint:
        return make_endpoint(provider=provider, secret=secret, **values)

    def refused(self, endpoint: Endpoint, body: bytes = BODY, *, query: str = "", **headers: str) -> Rejection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.generic(
            "POST", f"/hooks/{endpoint.slug}{query}", body, "application/json", headers=named
        )
        self.assertEqual(response.status_code, 401)
        return Rejection.objects.get(request_id=response["X-Request-ID"])

    def why(self, rejection: Rejection, role: str = "viewer", **kwargs: Any) -> Diagnosis:
        row = Rejection.objects.defer("raw_body", "sealed").get(pk=rejection.pk)
        return diagnose(row, viewer=make_user(role), **kwargs)

    def assert_code(self, rejection: Rejection, code: str) -> str:
        """Check that the one thing that matches is ``code``; return its text."""
        found = self.why(rejection)
        self.assertEqual([finding.code for finding in found.findings][-1:], [code], found)
        text = found.findings[-1].text
        self.assertNotIn(SECRET, text)
        return text


class ASignatureThatWouldMatch(Refused):
    def test_with_a_secret_without_white_space_is_told_by_its_label(self) -> None:
        endpoint = self.endpoint(secret=f" {SECRET}\n")

        text = self.assert_code(self.refused(endpoint, X_Signature=signature(BODY)), "secret_white_space")

        self.assertIn("“test”", text)

    def test_with_a_line_break_that_the_provider_has_is_told(self) -> None:
        signed = signature(BODY, f"{SECRET}\n")

        self.assert_code(self.refused(self.endpoint(), X_Signature=signed), "secret_line_end")

    def test_with_a_secret_that_is_used_as_it_is_shown_is_told(self) -> None:
        secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
        endpoint = self.endpoint("standard_webhooks", secret=secret)
        now = str(int(timezone.now().timestamp()))
        signed = base64.b64encode(hmac_of(f"m.{now}.".encode() + BODY, secret.encode())).decode()

        self.assert_code(
            self.refused(endpoint, Webhook_Id="m", Webhook_Timestamp=now, Webhook_Signature=f"v1,{signed}"),
            "secret_as_text",
        )

    def test_with_a_secret_that_is_decoded_is_told(self) -> None:
        key = b"0123456789abcdef"
        for secret, code in (
            ("whsec_" + base64.b64encode(key).decode(), "secret_whsec"),
            (key.hex(), "secret_hex"),
        ):
            with self.subTest(code):
                rejection = self.refused(self.endpoint(secret=secret), X_Signature=hmac_of(BODY, key).hex())
                found = diagnose(rejection, viewer=make_user("viewer", name=code))
                self.assertEqual(found.findings[-1].code, code)

    def test_in_another_form_is_told(self) -> None:
        forms = {
            "algorithm": hmac_of(BODY, algorithm="sha512").hex(),
            "encoding": base64.b64encode(hmac_of(BODY)).decode(),
            "signature_prefix": f"sha256={hmac_of(BODY).hex()}",
        }
        viewer = make_user("viewer")
        for code, text in forms.items():
            with self.subTest(code):
                found = diagnose(self.refused(self.endpoint(), X_Signature=text), viewer=viewer)
                self.assertEqual(found.findings[-1].code, code, found)

    def test_of_two_forms_at_once_is_told_with_both(self) -> None:
        text = "sha1=" + base64.b64encode(hmac_of(BODY, algorithm="sha1")).decode()

        told = self.assert_code(self.refused(self.endpoint(), X_Signature=text), "algorithm")

        self.assertIn("made with sha1 and written in base64 and expected behind 'sha1='", told)

    def test_in_another_header_is_told_by_the_headers_name(self) -> None:
        rejection = self.refused(self.endpoint(), X_Shop_Signature=signature(BODY))

        self.assertIn("X-Shop-Signature", self.assert_code(rejection, "other_header"))

    def test_over_the_body_alone_is_told(self) -> None:
        endpoint = self.endpoint(settings={"template": "{timestamp}.{body}", "timestamp_header": "X-Time"})
        now = str(int(timezone.now().timestamp()))

        self.assert_code(self.refused(endpoint, X_Time=now, X_Signature=signature(BODY)), "template")


class ABodyThatWasChanged(Refused):
    def test_is_told_with_what_was_changed(self) -> None:
        payload = json.loads(BODY)
        before = {
            "body_end": BODY + b"\n",
            "body_white_space": b"  " + BODY,
            "body_json": json.dumps(payload, separators=(",", ":")).encode(),
        }
        viewer = make_user("viewer")
        for code, original in before.items():
            arrived = b"  " + BODY if code == "body_white_space" else BODY
            signed = BODY if code == "body_white_space" else original
            with self.subTest(code):
                found = diagnose(self.refused(self.endpoint(), arrived, X_Signature=signature(signed)), viewer=viewer)
                self.assertEqual(found.findings[-1].code, code, found)

    def test_is_told_for_phps_slashes_and_indented_json(self) -> None:
        payload = json.loads(BODY)
        viewer = make_user("viewer")
        for written in (
            json.dumps(payload, separators=(",", ":")).replace("/", "\\/"),
            json.dumps(payload, indent=2, ensure_ascii=False, sort_keys=True),
        ):
            rejection = self.refused(self.endpoint(), X_Signature=signature(written.encode()))
            self.assertEqual(diagnose(rejection, viewer=viewer).findings[-1].code, "body_json")

    def test_is_told_for_line_ends(self) -> None:
        rejection = self.refused(self.endpoint(), b"[1,\n2]", X_Signature=signature(b"[1,\r\n2]"))

        self.assert_code(rejection, "body_line_ends")

    @override_settings(HUB_REJECTION_BODY_BYTES=4)
    def test_and_not_kept_is_named(self) -> None:
        self.assert_code(self.refused(self.endpoint(), X_Signature=signature(b"")), "body_not_kept")


class AUrlThatWasSigned(Refused):
    def told(self, signed_url: str, code: str, query: str = "") -> str:
        endpoint = self.endpoint(slug="signed", settings={"template": "{url}{body}"})
        rejection = self.refused(endpoint, query=query, X_Signature=signature(signed_url.encode() + BODY))
        return self.assert_code(rejection, code)

    def test_under_another_scheme_is_told_with_the_setting(self) -> None:
        self.assertIn("HUB_BASE_URL", self.told("https://testserver/hooks/signed", "url_scheme"))

    def test_with_a_slash_is_told(self) -> None:
        self.assertIn("/hooks/signed/", self.told("http://testserver/hooks/signed/", "url_path"))

    def test_without_its_query_is_told_and_the_query_not_shown(self) -> None:
        self.assertNotIn("s3cret", self.told("http://testserver/hooks/signed", "url_query", query="?token=s3cret"))

    def test_under_the_host_that_a_proxy_names_is_told(self) -> None:
        endpoint = self.endpoint(slug="signed", settings={"template": "{url}{body}"})
        signed = signature(b"https://hub.example.com/hooks/signed" + BODY)
        rejection = self.refused(endpoint, X_Signature=signed, X_Forwarded_Host="hub.example.com")

        self.assertIn("https://hub.example.com/hooks/signed", self.assert_code(rejection, "url_scheme"))


class ASecret(Refused):
    def test_that_has_ended_is_told_by_label_and_time(self) -> None:
        endpoint = self.endpoint()
        ended = timezone.now() - timedelta(days=1)
        Secret.objects.create(endpoint=endpoint, value="the old one", label="2025", expires_at=ended)

        text = self.assert_code(self.refused(endpoint, X_Signature=signature(BODY, "the old one")), "expired_secret")

        self.assertIn("“2025”", text)
        self.assertIn(f"{ended:%Y-%m-%d %H:%M}", text)

    def test_that_was_entered_since_is_told(self) -> None:
        endpoint = self.endpoint()
        rejection = self.refused(endpoint, X_Signature=signature(BODY, "new"))
        Secret.objects.create(endpoint=endpoint, value="new", label="2026")

        self.assertIn("“2026”", self.assert_code(rejection, "matches_now"))

    def test_of_another_endpoint_is_named_only_to_those_who_may_see_it(self) -> None:
        self.endpoint(slug="the-other", secret="of the other")
        signed = signature(BODY, "of the other")
        rejection = self.refused(self.endpoint(), X_Signature=signed)

        self.assertIn("the-other", self.assert_code(rejection, "other_endpoint_secret"))
        hidden = self.why(rejection, role="nobody").findings[-1]
        self.assertEqual(hidden.code, "other_endpoint_secret")
        self.assertNotIn("the-other", hidden.text)

    def test_of_another_provider_shows_that_the_url_is_wrong(self) -> None:
        self.endpoint("github", slug="code", secret="of github")
        rejection = self.refused(self.endpoint(), X_Hub_Signature_256=f"sha256={signature(BODY, 'of github')}")

        self.assertIn("wrong URL", self.assert_code(rejection, "other_endpoint"))

    def test_that_is_a_token_is_tried_too(self) -> None:
        endpoint = self.endpoint("generic_bearer", secret="t0ken")

        self.assert_code(self.refused(endpoint, Authorization="t0ken"), "token_word")
        viewer = make_user("viewer", name="another")
        found = diagnose(self.refused(endpoint, X_Api_Token="t0ken"), viewer=viewer)
        self.assertEqual([finding.code for finding in found.findings], ["header_missing", "other_header"])


class ADiagnosis(Refused):
    def test_says_that_nothing_matches_and_which_secrets_were_tried(self) -> None:
        found = self.why(self.refused(self.endpoint(), X_Signature=signature(BODY, "unknown")))

        self.assertEqual([finding.code for finding in found.findings], ["nothing_matches"])
        self.assertEqual((found.tried, found.is_complete), (["test"], True))
        self.assertGreater(found.trials, 50)

    def test_hints_at_a_clock(self) -> None:
        endpoint = self.endpoint("stripe")
        at = int(timezone.now().timestamp()) - 1000
        signed = hmac_of(f"{at}.".encode() + BODY).hex()

        found = self.why(self.refused(endpoint, Stripe_Signature=f"t={at},v1={signed}"))

        self.assertEqual(found.findings[0].code, "timestamp_stale")
        self.assertIn("70", found.findings[0].text)
        self.assertIn("clock", found.findings[0].text)

    def test_names_the_header_that_is_missing(self) -> None:
        found = self.why(self.refused(self.endpoint()))

        self.assertEqual(found.findings[0].code, "header_missing")
        self.assertIn("X-Signature", found.findings[0].text)

    def test_ends_when_its_time_is_over(self) -> None:
        rejection = self.refused(self.endpoint(), X_Signature=signature(BODY, "unknown"))
        slow = itertools.count(step=MOST_SECONDS / 10)

        found = self.why(rejection, clock=lambda: next(slow))

        self.assertLess(found.trials, 12)
        self.assertFalse(found.is_complete)

    def test_survives_a_lost_key(self) -> None:
        rejection = self.refused(self.endpoint(), X_Signature=signature(BODY, "unknown"))

        with override_settings(HUB_ENCRYPTION_KEYS=["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]):
            self.assert_code(rejection, "key_lost")

    def test_is_on_the_page(self) -> None:
        rejection = self.refused(self.endpoint(), BODY + b"\n", X_Signature=signature(BODY))

        page = logged_in("viewer").get(f"/admin/deliveries/rejection/{rejection.pk}/change/")

        self.assertContains(page, "body end")
        self.assertNotContains(page, SECRET)


class TheApi(Refused, ApiTestCase):
    def test_diagnoses_one_rejection_and_no_list(self) -> None:
        endpoint = self.endpoint()
        rejection = self.refused(endpoint, X_Signature=hmac_of(BODY, algorithm="sha1").hex())

        item = self.client.get(f"{API}/rejections/{rejection.pk}/").json()
        listed = self.client.get(f"{API}/rejections/").json()["results"][0]

        self.assertEqual(item["diagnosis"]["findings"][-1]["code"], "algorithm")
        self.assertEqual(item["diagnosis"]["secrets_tried"], ["test"])
        self.assertNotIn("diagnosis", listed)
        self.assertNotIn(SECRET, str(item))
