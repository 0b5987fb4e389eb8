"""No byte string in any header, the query or the body gives anything but 2xx or 4xx, whatever the provider.

A few examples for each preset here; many with `make fuzz`.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from deliveries.receiving.view import ReceiveView
from integrations.contracts import InboundRequest, case_insensitive
from integrations.models import Endpoint
from integrations.providers import providers
from integrations.verification import remote_keys
from integrations.verification.reasons import Reason, unproven
from integrations.verification.texts import header_text
from tests.factories import make_endpoint, make_route
from tests.integrations.providers.facts import ALL, Facts

pytestmark = pytest.mark.stricter_database

EXAMPLES = int(os.environ.get("HUB_FUZZ_EXAMPLES", "6"))
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
TYPES = [JSON, "application/vnd.x+json", FORM, "multipart/form-data; boundary=b", "text/plain", "text/xml"]
METHODS = ["POST", "POST", "POST", "POST", "GET", "HEAD", "OPTIONS", "PUT"]
#: Headers that some part of the receiving path reads, whoever the sender is.
READ_ANYWAY = [
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "WebHook-Request-Origin",
    "X-Forwarded-For",
    "X-Hook-Secret",
    "X-Okta-Verification-Challenge",
    "X-Request-ID",
]
#: What handshakes look for in the query.
ASKED = ["validationToken", "challenge", "crc_token", "bt_challenge", "check", "hub.mode=subscribe&hub.challenge"]

# WSGI's own strings: a character for each byte.
wire_text = st.text(st.characters(max_codepoint=255), max_size=80)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


@st.composite
def altered(draw: st.DrawFn, text: str) -> str:
    """Draw ``text`` with a part of it cut, doubled or overwritten, or another text."""
    start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    part = draw(st.sampled_from(["", text[start:end] * 2]) | wire_text)
    return draw(st.sampled_from([text[:start] + part + text[end:], part]))


@st.composite
def bodies(draw: st.DrawFn, body: bytes) -> bytes:
    """Draw ``body`` as it is or altered, JSON that has its outermost names, any JSON, or any bytes."""
    kind = draw(st.sampled_from(["same", "altered", "names", "json", "bytes"]))
    if kind == "same":
        return body
    if kind == "altered":
        return draw(altered(body.decode("latin-1"))).encode("latin-1")
    if kind == "bytes":
        return draw(st.binary(max_size=300))
    value = draw(json_values)
    if kind == "names":
        value = {**_object(body), draw(st.sampled_from([*_object(body), "type"])): value}
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@st.composite
def requests(draw: st.DrawFn, facts: Facts, key: str) -> InboundRequest:
    """Draw a request that is signed, changed, and perhaps signed again so that what is behind the proof is reached."""
    scheme, now = facts.scheme(), timezone.now()
    request = replace(facts.request(), received_at=now)
    request = scheme.sign(request, key, now=now)
    query = draw(
        st.sampled_from(["", request.query_string])
        | st.builds("{}={}".format, st.sampled_from(ASKED), wire_text)
        | wire_text
    )
    request = replace(request, body=draw(bodies(request.body)), query_string=query)
    names = sorted({*request.headers, *scheme.proof_headers, *READ_ANYWAY})
    headers = dict(request.headers)
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
        headers[name] = draw(altered(headers.get(name, "")))
    if draw(st.booleans()):
        headers["Content-Type"] = draw(st.sampled_from(TYPES))
    request = replace(request, headers=case_insensitive(headers))
    if draw(st.booleans()):
        try:
            request = scheme.sign(request, key, now=now)
        except Exception:
            return request
    return request


class FuzzSuite(HypothesisTestCase):
    facts: Facts
    __test__ = False

    endpoint: Endpoint
    key: str

    @classmethod
    def setUpTestData(cls) -> None:
        scheme = cls.facts.scheme()
        secret, cls.key = (cls.facts.secret,) * 2 if scheme.symmetric else scheme.new_pair()
        cls.endpoint = make_endpoint(
            provider=cls.facts.provider,
            settings=dict(cls.facts.settings),
            secret=secret if scheme.needs_key else "",
            batch="split" if providers[cls.facts.provider].batch else "whole",
        )
        make_route(cls.endpoint, events=["*"])

    def check(self, data: st.DataObject, method: str) -> None:
        request = data.draw(requests(self.facts, self.key))

        with mock.patch.object(remote_keys.documents, "get", nothing_there):
            status = self.received(method, request)

        self.assertTrue(200 <= status < 300 or 400 <= status < 500, status)

    def received(self, method: str, request: InboundRequest) -> int:
        """Give the view what no client would send."""
        headers = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in request.headers.items()}
        content_type = headers.pop("HTTP_CONTENT_TYPE", "")
        environ = {name: text if text.isascii() else wire(text) for name, text in headers.items()}
        http = RequestFactory().generic(
            method, f"/hooks/{self.endpoint.slug}", request.body, content_type, QUERY_STRING=request.query_string
        )
        http.META.update(environ)
        response = ReceiveView.as_view()(http, slug=self.endpoint.slug)
        if hasattr(response, "render"):
            response.render()
        return response.status_code


def nothing_there(url: str, *, again: bool = False) -> bytes:
    """Stand for providers that publish no such key: the fuzzer asks nobody."""
    raise unproven(Reason.KEY_UNKNOWN)


def wire(text: str) -> str:
    """Return ``text`` as WSGI hands it over, a character for each byte."""
    return header_text(text) if max(text) > "\xff" else text


def _suite_of(facts: Facts) -> type[FuzzSuite]:
    def test_answers_anything_with_success_or_a_refusal(self: FuzzSuite, data: st.DataObject, method: str) -> None:
        self.check(data, method)

    bounded = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    # A function for each class: Hypothesis keeps what it found by function.
    test = bounded(given(st.data(), st.sampled_from(METHODS))(test_answers_anything_with_success_or_a_refusal))
    members = {"facts": facts, "__test__": True, "__module__": __name__, test.__name__: test}
    return type(f"{facts.name}FuzzTests", (FuzzSuite,), members)


globals().update({suite.__name__: suite for suite in map(_suite_of, ALL)})
