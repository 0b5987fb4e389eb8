"""Whatever a stranger sends: no 5xx, no trace of a stack, and what was accepted arrives whole."""

from __future__ import annotations

import json

import pytest
from django.template.response import SimpleTemplateResponse
from django.test import RequestFactory
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from deliveries.models import Event, Rejection
from deliveries.receiving.view import ReceiveView
from integrations.models import Endpoint
from tests.deliveries.receiving.cases import SECRET, Sender, signature, signed_endpoint
from tests.factories import make_endpoint, make_route

JSON = "application/json"
DEEP = b"[" * 100_000 + b"]" * 100_000
#: body, content type, what a proven request with it is answered
BODIES = [
    (b"", JSON, 200),
    (b"\x00", JSON, 400),
    (b"\xff\xfe\xfd", JSON, 400),
    (DEEP, JSON, 400),
    (b"[" * 1_000_000, JSON, 400),
    (b'{"a":' * 100_000, JSON, 400),
    (b'{"type": ' + b"9" * 400 + b"}", JSON, 200),
    (b'{"type": ' + b"9" * 5000 + b"}", JSON, 200),
    (b'{"type": 1e999999999}', JSON, 200),
    (b'{"type": NaN}', JSON, 400),
    (b'{"type": "\\u0000\\ud800"}', JSON, 200),
    (b'{"type": "a\\u0000b", "\\u0000": 1}', JSON, 200),
    (b'\xef\xbb\xbf{"type": "with a mark"}', JSON, 200),
    ('{"type": "utf-16"}'.encode("utf-16"), JSON, 400),
    (b"{} trailing", JSON, 400),
    (b"null", JSON, 200),
    (b'"a text"', JSON, 200),
    (b"\x1f\x8b\x08\x00" + b"\x00" * 1000, "application/octet-stream", 200),
    (b"\x00\xff" * 100, "text/plain; charset=nonsense", 200),
    (b"{}", "", 200),
    (b"{}", ";;;==", 200),
    (b"{}", "application/json; charset=utf-7", 200),
    (b"a=%ff%00&a=%ED%A0%80&" + b"&" * 5000, "application/x-www-form-urlencoded", 200),
    (b"\xff=\x00", "application/x-www-form-urlencoded", 400),
    (b"&".join(b"a%d=1" % n for n in range(20_000)), "application/x-www-form-urlencoded", 400),
    (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x", 200),
    (b"--x\r\n" * 5000, "multipart/form-data; boundary=" + "x" * 3000, 200),
    (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "application/xml", 200),
]
HEADERS = [
    {"X-Event-Id": "\x00"},
    {"X-Event-Id": "é\xff"},
    {"X-Event-Id": "9" * 400},
    {"X-Event-Id": "x" * 100_000},
    {"X-Event-Id": "'; DROP TABLE deliveries_event; --"},
    {"X-Custom": "\x00\x01\x7f"},
    {"X-Request-ID": "\x00"},
    {"X-Request-ID": "x" * 5000},
    {"X-Forwarded-For": "\x00, ,,, 999.1.1.1, ::::, é"},
    {"Cookie": "a=\x00; é; " + "b=c; " * 5000},
    {"Accept": "\x00"},
    {"Accept-Language": "x" * 10_000},
    {"Content-Encoding": "identity,\x00"},
    {"X-Signature": "é" * 1000},
    {"X-Signature": ",".join(["v1=00"] * 5000)},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Content-Type": "application/json\x00"},
    {f"X-Many-{number}": "x" * 1000 for number in range(500)},
]
QUERIES = ["%00", "a=%ff&%ED%A0%80", "&" * 5000, "format=api&_method=DELETE", "token=\x00", "é=\xff", "a" * 50_000]


class BadInput(Sender, HypothesisTestCase):
    def setUp(self) -> None:
        self.endpoint = signed_endpoint()
        make_route(self.endpoint, events=["*"], filter="type == 'x' || abs(type) || `true`")

    def test_in_a_body_that_is_proven_is_stored_whole_or_refused(self) -> None:
        for body, content_type, expected in BODIES:
            with self.subTest(body=body[:40], content_type=content_type[:40]):
                response = self.send(self.endpoint, body, content_type=content_type)
                self.assertEqual(response.status_code, expected, response.content)
                if expected == 200:
                    event = Event.objects.get(pk=response.json()["event"])
                    self.assertEqual(event.body, body)
                    json.dumps(event.shown_payload)

    def test_in_a_body_without_a_proof_is_refused_and_kept_within_bounds(self) -> None:
        for body, content_type, _ in BODIES:
            with self.subTest(body=body[:40], content_type=content_type[:40]):
                response = self.send(self.endpoint, body, content_type=content_type, secret="wrong")
                self.assertEqual((response.status_code, response.json()), (401, {"error": "invalid_signature"}))
        self.assertLessEqual(Rejection.objects.count(), 20)
        self.assertEqual(Event.objects.count(), 0)

    def test_in_headers_is_stored_or_refused(self) -> None:
        for number, headers in enumerate(HEADERS):
            for secret in (SECRET, "wrong"):
                with self.subTest(str(headers)[:60], secret=secret):
                    response = self.send(self.endpoint, b"[%d]" % number, headers=headers, secret=secret)
                    self.assertIn(response.status_code, (200, 400, 401, 415), response.content)

    def test_in_the_query_is_stored_or_refused(self) -> None:
        in_query = make_endpoint(provider="generic_token", secret="s3cr3t", settings={"placement": "query"})
        for number, query in enumerate(QUERIES):
            with self.subTest(query[:40]):
                body = b"[%d]" % number
                answer = self.raw(self.endpoint, body, QUERY_STRING=query, HTTP_X_SIGNATURE=signature(body))
                self.assertEqual(answer, 200)
                self.assertEqual(self.raw(in_query, body, QUERY_STRING=f"{query}&token=s3cr3t"), 200)
                self.assertEqual(self.raw(in_query, body, QUERY_STRING=query), 401)

    @pytest.mark.stricter_database
    def test_for_every_provider_is_stored_or_refused(self) -> None:
        from integrations.providers import providers

        for place, provider in enumerate(providers):
            endpoint = make_endpoint(provider=provider, secret=SECRET)
            for number, (body, content_type, _) in list(enumerate(BODIES))[place % 3 :: 3]:
                headers = HEADERS[(place // 3 + number) % 3]  # each body meets each of them at one provider in nine
                with self.subTest(provider=provider, body=body[:40]):
                    response = self.send(endpoint, body, content_type=content_type, headers=headers, secret="")
                    self.assertLess(response.status_code, 500)

    # WSGI's own strings: a character for each byte.
    wire_text = st.text(st.characters(max_codepoint=255), max_size=60)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        body=st.binary(max_size=300)
        | st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=20).map(
            lambda value: json.dumps(value).encode("utf-8", "surrogatepass")
        ),
        content_type=st.sampled_from([JSON, "application/x-www-form-urlencoded", "text/plain", ""]) | wire_text,
        headers=st.dictionaries(
            st.sampled_from(["HTTP_X_EVENT_ID", "HTTP_COOKIE", "HTTP_CONTENT_ENCODING", "HTTP_X_FORWARDED_FOR"]),
            wire_text,
        ),
        query=wire_text,
        proven=st.booleans(),
    )
    @example(body=b"", content_type="", headers={}, query="", proven=True)
    def test_of_any_kind_is_stored_or_refused(self, body, content_type, headers, query, proven) -> None:
        proof = {"HTTP_X_SIGNATURE": signature(body, SECRET if proven else "wrong")}

        status = self.raw(self.endpoint, body, CONTENT_TYPE=content_type, QUERY_STRING=query, **headers, **proof)

        self.assertIn(status, (200, 400, 401, 415) if proven else (401, 415))

    def raw(self, endpoint: Endpoint, body: bytes, **environ: str) -> int:
        """Give the view what the test client would not even send."""
        request = RequestFactory().post(f"/hooks/{endpoint.slug}", body, JSON, **environ)
        response = ReceiveView.as_view()(request, slug=endpoint.slug)
        if isinstance(response, SimpleTemplateResponse):  # as DRF's are
            response.render()
        return response.status_code
