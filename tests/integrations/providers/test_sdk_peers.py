"""The providers' own libraries as the other side: they accept what we sign, we accept what they sign.

They run in an environment of their own (``make sdks``) behind a pipe: tests/sdks. What a library accepts and refuses is
its word alone; here is only which request it is asked about.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.test import SimpleTestCase

from integrations.contracts import InboundRequest
from integrations.providers import providers
from integrations.verification.texts import with_headers
from tests.sdks.adapters import Adapter
from tests.sdks.javascript import JavaScriptAdapter
from tests.sdks.libraries import ADAPTERS, Library
from tests.sdks.table import TABLE, facts_of, pinned, table


def with_body(request: InboundRequest, change: Callable[[Any], None]) -> InboundRequest:
    """Return ``request`` with its JSON body changed."""
    payload = json.loads(request.body)
    change(payload)
    return replace(request, body=json.dumps(payload, separators=(",", ":")).encode())


def in_place(pattern: bytes, replacement: bytes) -> Callable[[InboundRequest], InboundRequest]:
    """Return a change of the one place of the body that ``pattern`` matches."""

    def change(request: InboundRequest) -> InboundRequest:
        body, found = re.subn(pattern, replacement, request.body, count=1)
        assert found, f"{pattern!r} is not in the body"
        return replace(request, body=body)

    return change


def with_space(request: InboundRequest) -> InboundRequest:
    """Return ``request`` with a space at the end of its body: JSON of the same meaning, a form of another."""
    return replace(request, body=request.body + b" ")


def with_other_claims(request: InboundRequest) -> InboundRequest:
    """Return ``request`` with a claim of its token changed."""
    head, claims, signature = request.headers["Authorization"].split(".")
    changed = {**json.loads(base64.urlsafe_b64decode(claims + "==")), "email": "somebody@example.com"}
    encoded = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    return with_headers(request, {"Authorization": f"{head}.{encoded}.{signature}"})


#: Where the space is not what the signature is about, what is.
CHANGES: dict[str, Callable[[InboundRequest], InboundRequest]] = {
    "adyen": in_place(rb'"value": *\d', b'"value":9'),
    "aws_sns": in_place(rb'"Message": *"', b'"Message":"x'),
    "dropbox_sign": in_place(rb"(event_time(?:%22|%3A|\W)+)\d", rb"\g<1>9"),
    "google_pubsub": with_other_claims,
    "mailgun": in_place(rb'"token": *"', b'"token":"x'),
    "zoom": in_place(rb'"event": *"', b'"event":"x'),
}


def _in_milliseconds(name: str) -> Callable[[InboundRequest, datetime], InboundRequest]:
    def stamp(request: InboundRequest, now: datetime) -> InboundRequest:
        return with_body(request, lambda payload: payload.update({name: int(now.timestamp()) * 1000}))

    return stamp


#: Providers whose time stands in the body that they sign.
STAMPS: dict[str, Callable[[InboundRequest, datetime], InboundRequest]] = {
    "linear": _in_milliseconds("webhookTimestamp"),
    "pusher": _in_milliseconds("time_ms"),
}


class SdkSuite(SimpleTestCase):
    """What holds between us and every library; `adapter` says which it is."""

    adapter: Adapter | JavaScriptAdapter
    __test__ = False

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.theirs = Library.of(cls.adapter.key)

    def setUp(self) -> None:
        self.facts = facts_of(self.adapter)
        self.scheme = self.facts.scheme()
        self.secret, self.signing_key = self.facts.secret, self.facts.secret
        self.other_secret = self.facts.other_secret
        if not self.scheme.symmetric:
            self.secret, self.signing_key = self.scheme.new_pair()
            self.other_secret, _ = self.scheme.new_pair()
        self.now = datetime.now(UTC).replace(microsecond=0)

    def test_accepts_what_we_sign(self) -> None:
        self.assertTrue(self.accepts(self.signed(), self.secret))

    def test_refuses_what_was_changed_on_the_way(self) -> None:
        change = CHANGES.get(self.adapter.provider, with_space)

        self.assertFalse(self.accepts(change(self.signed()), self.secret))

    def test_refuses_what_another_secret_signed(self) -> None:
        self.assertFalse(self.accepts(self.signed(), self.other_secret))

    def request(self) -> InboundRequest:
        request = replace(self.facts.request(), received_at=self.now)
        stamp = STAMPS.get(self.adapter.provider)
        return stamp(request, self.now) if stamp else request

    def signed(self) -> InboundRequest:
        return self.scheme.sign(self.request(), self.signing_key, now=self.now)

    def accepts(self, request: InboundRequest, secret: str) -> bool:
        return self.theirs.accepts(request, secret, self.facts.settings)


class SigningSdkSuite(SdkSuite):
    """The same for libraries that sign as well."""

    __test__ = False

    def test_signs_what_we_accept(self) -> None:
        theirs = self.theirs.sign(self.request(), self.facts.secret, self.facts.settings)
        scheme = providers[self.adapter.provider].scheme_for(theirs.settings)

        self.assertEqual(scheme.verify(theirs.request, [theirs.secret]), 0)


def _suite_of(adapter: Adapter | JavaScriptAdapter) -> type[SimpleTestCase]:
    suite = SigningSdkSuite if adapter.signs else SdkSuite
    name = "".join(word.title() for word in re.split(r"[_:]", adapter.key)) + "LibraryTests"
    return type(name, (suite,), {"adapter": adapter, "__test__": True, "__module__": __name__})


globals().update({suite.__name__: suite for suite in map(_suite_of, ADAPTERS.values())})


class EveryLibraryTests(SimpleTestCase):
    def test_is_in_the_table_of_the_documentation(self) -> None:
        self.assertEqual(TABLE.read_text(encoding="utf-8"), table())

    def test_is_the_version_that_the_table_names(self) -> None:
        for key, adapter in ADAPTERS.items():
            with self.subTest(library=key):
                self.assertEqual(Library.unloaded(key).version, pinned(adapter, adapter.package))

    def test_of_javascript_is_on_either_side_of_the_pipe(self) -> None:
        known = [adapter for adapter in ADAPTERS.values() if isinstance(adapter, JavaScriptAdapter)]
        found = Library.unloaded(known[0].key).channel.ask("list", "")

        self.assertEqual(set(found["verify"]), {adapter.key for adapter in known})
        self.assertEqual(set(found["sign"]), {adapter.key for adapter in known if adapter.signs})

    def test_is_of_one_of_many_providers(self) -> None:
        checked = {adapter.provider for adapter in ADAPTERS.values()}

        self.assertGreaterEqual(len(checked), 35)
        self.assertLessEqual(checked, set(providers))
