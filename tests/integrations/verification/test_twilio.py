from __future__ import annotations

import hashlib
from dataclasses import replace

from integrations.contracts import InboundRequest
from integrations.verification import UrlAndForm
from integrations.verification.templates import FORM
from integrations.verification.texts import with_headers
from tests.integrations.requests import NOW, make_request
from tests.integrations.verification.cases import SECRET, SchemeTestCase


class UrlAndFormTests(SchemeTestCase):
    scheme = UrlAndForm(
        headers=("X-Twilio-Signature",), algorithm="sha1", encoding="base64", template="{url}{sorted_form}"
    )
    form = b"Body=hello&From=%2B1"

    def signed(self, body: bytes = form, content_type: str = FORM, url: str = "https://h/x?a=1") -> InboundRequest:
        return self.scheme.sign(make_request(body, content_type=content_type, url=url), SECRET, now=NOW)

    def test_refuses_fields_moved_into_the_query_string(self) -> None:
        moved = replace(
            self.signed(), body=b"", url="https://h/x?a=1BodyhelloFrom+1", query_string="a=1BodyhelloFrom+1"
        )

        self.assertEqual(self.refused(self.scheme, moved), "body_not_signed")

    def test_refuses_a_body_that_nothing_covers(self) -> None:
        for content_type in ("application/json", "text/plain", "multipart/form-data", ""):
            bare = replace(with_headers(self.signed(), {"Content-Type": content_type}), body=b'{"forged": true}')
            with self.subTest(content_type=content_type):
                self.assertEqual(self.refused(self.scheme, bare), "body_not_signed")

    def test_refuses_a_body_other_than_the_one_hashed(self) -> None:
        signed = self.signed(b'{"a": 1}', "application/json")
        self.assertEqual(self.scheme.verify(signed, [SECRET]), 0)

        self.assertEqual(self.refused(self.scheme, replace(signed, body=b'{"a": 2}')), "body_hash_mismatch")
        as_form = with_headers(replace(signed, body=b""), {"Content-Type": FORM})
        self.assertEqual(self.refused(self.scheme, as_form), "body_hash_mismatch")
        rehashed = f"bodySHA256={hashlib.sha256(b'[]').hexdigest()}"
        forged = replace(signed, body=b"[]", url=f"https://h/x?a=1&{rehashed}", query_string=f"a=1&{rehashed}")
        self.assertEqual(self.refused(self.scheme, forged), "signature_mismatch")

    def test_refuses_an_algorithm_that_it_does_not_know(self) -> None:
        name = "X-Twilio-Webhooks-Signature-Settings"
        for settings in ("key=k,algorithm=HMAC_MD5", "algorithm=none", "algorithm=\u00fc"):
            request = with_headers(self.signed(), {name: settings})
            self.assertEqual(self.refused(self.scheme, request), "algorithm_unknown")
        self.assertEqual(self.scheme.verify(with_headers(self.signed(), {name: "key=k"}), [SECRET]), 0)

    def test_covers_every_field_whatever_its_bytes(self) -> None:
        signed = self.signed(b"b=%FF&a=%C3%BC&a=1&a=1&c=&%00=\xff")
        self.assertEqual(self.scheme.verify(signed, [SECRET]), 0)

        for changed in (
            b"b=%FE&a=%C3%BC&a=1&c=&%00=\xff",
            b"b=%FF&a=%C3%BC&a=1&%00=\xff",
            b"b=%FF&a=%C3%BC&c=&%00=\xff",
        ):
            self.assertEqual(self.refused(self.scheme, replace(signed, body=changed)), "signature_mismatch")

    def test_bounds_the_number_of_fields(self) -> None:
        self.assertEqual(self.refused(self.scheme, replace(self.signed(), body=b"a=1&" * 100_000)), "body_not_signed")
