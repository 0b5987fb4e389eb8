from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations.errors import VerificationFailed
from integrations.providers import providers
from integrations.validation import validate_provider_settings
from integrations.verification import Hmac
from tests.integrations.requests import NOW, make_request


class GenericHmacSettingsTests(SimpleTestCase):
    def refused(self, **settings: Any) -> str:
        with self.assertRaises(ValidationError) as caught:
            validate_provider_settings("generic_hmac", settings)
        return str(caught.exception)

    def test_have_the_documented_defaults(self) -> None:
        scheme = providers["generic_hmac"].scheme_for({})

        assert isinstance(scheme, Hmac)
        self.assertEqual(scheme.headers, ("X-Signature",))
        self.assertEqual((scheme.algorithm, scheme.encoding, scheme.template), ("sha256", "hex", "{body}"))
        self.assertIsNone(scheme.timestamp)
        properties = providers["generic_hmac"].settings_schema["properties"]
        self.assertEqual(properties["header"]["default"], "X-Signature")
        self.assertEqual(properties["template"]["default"], "{body}")

    def test_refuse_unknown_names_and_values(self) -> None:
        for settings in (
            {"headers": "X"},
            {"algorithm": "md5"},
            {"encoding": "base32"},
            {"header": "X Signature"},
            {"header": ""},
            {"tolerance_seconds": 0},
            {"tolerance_seconds": "300"},
            {"timestamp_unit": "h"},
            {"event_id": "cookie:a"},
            {"event_type": "body:a..b"},
            {"signed_url": "ftp://example.com"},
        ):
            with self.subTest(settings=settings):
                self.refused(**settings)

    def test_refuse_a_template_that_covers_nothing_of_the_body(self) -> None:
        for template in ("", "constant", "{url}", "{timestamp}.", "{method} {path}"):
            with self.subTest(template=template):
                self.assertIn("{body}", self.refused(template=template, timestamp_header="X-Time"))

    def test_refuse_a_template_that_cannot_be_filled(self) -> None:
        for template in (
            "{body}{nonce}",
            "{body",
            "{body}}",
            "{header}{body}",
            "{body:x}",
            "{timestamp}{body}",
            "{id}{body}",
        ):
            with self.subTest(template=template):
                self.refused(template=template)
        self.refused(template="{id}{body}", event_id="body:id")

    def test_check_the_age_only_of_a_timestamp_that_is_signed(self) -> None:
        loose = {"timestamp_header": "X-Time", "tolerance_seconds": 60}
        validate_provider_settings("generic_hmac", loose)
        scheme = providers["generic_hmac"].scheme_for(loose)
        signed = scheme.sign(make_request(headers={"X-Time": "1"}), "s3cret", now=NOW)
        self.assertEqual(scheme.verify(signed, ["s3cret"]), 0)

        strict = {**loose, "template": "{timestamp}.{body}"}
        validate_provider_settings("generic_hmac", strict)
        scheme = providers["generic_hmac"].scheme_for(strict)
        signed = scheme.sign(make_request(received_at=NOW.replace(hour=11)), "s3cret", now=NOW)
        with self.assertRaises(VerificationFailed) as caught:
            scheme.verify(signed, ["s3cret"])
        self.assertEqual(caught.exception.reason, "timestamp_stale")

    def test_sign_the_url_that_is_set(self) -> None:
        settings = {"template": "{url}{body}", "signed_url": "https://public.example.org/in"}
        scheme = providers["generic_hmac"].scheme_for(settings)
        elsewhere = providers["generic_hmac"].scheme_for({"template": "{url}{body}"})

        signed = elsewhere.sign(make_request(url="https://public.example.org/in"), "s3cret", now=NOW)

        self.assertEqual(scheme.verify(make_request(headers=signed.headers), ["s3cret"]), 0)


class OtherSettingsTests(SimpleTestCase):
    def test_are_refused_where_a_preset_has_none(self) -> None:
        for key in ("github", "stripe", "slack", "shopify", "svix", "internal"):
            with self.subTest(provider=key), self.assertRaises(ValidationError):
                validate_provider_settings(key, {"mode": "x"})

    def test_are_taken_as_documented(self) -> None:
        for key, settings in (
            ("gitlab", {"mode": "signing_token"}),
            ("gitlab", {"mode": "secret_token"}),
            ("discord", {"mode": "events"}),
            ("discord", {"mode": "interactions"}),
            ("twilio", {"signed_url": "https://example.com/a?b=c"}),
            ("meta", {"verify_token": "x"}),
            ("standard_webhooks", {"asymmetric": True}),
            ("generic_token", {"placement": "query"}),
        ):
            with self.subTest(provider=key, settings=settings):
                validate_provider_settings(key, settings)

    def test_are_refused_with_other_values(self) -> None:
        for key, settings in (
            ("gitlab", {"mode": "other"}),
            ("discord", {"mode": "gateway"}),
            ("twilio", {"signed_url": "example.com"}),
            ("meta", {"verify_token": ""}),
            ("generic_token", {"placement": "cookie"}),
        ):
            with self.subTest(provider=key, settings=settings), self.assertRaises(ValidationError):
                validate_provider_settings(key, settings)
