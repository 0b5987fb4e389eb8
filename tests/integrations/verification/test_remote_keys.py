"""Fetching keys: from a real TLS server on loopback with an authority of its own, and what is kept of it."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import SimpleTestCase
from jwt.algorithms import RSAAlgorithm

from integrations.connectors.egress import EgressRefused
from integrations.connectors.http import CallFailed, guarded_client
from integrations.errors import HubError, KeysUnavailable, VerificationFailed
from integrations.verification.remote_keys import (
    MAX_DOCUMENT_BYTES,
    KeySet,
    NoSuchDocument,
    RemoteDocuments,
    fetch_document,
    public_pem,
    split_identity,
)
from tests.integrations.connectors.servers import Server, make_certificate, serving

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWK = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "key-1"}
URL = "https://keys.example/certs"


def trusting(context: ssl.SSLContext) -> Callable[[float], httpx.Client]:
    return partial(guarded_client, allow=[ip_network("127.0.0.0/8")], ssl_context=context)


class FetchingTests(SimpleTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server_tls, self.client_tls = make_certificate(Path(folder.name), names=["127.0.0.1"])

    def fetched(self, server: Server, context: ssl.SSLContext | None = None) -> bytes:
        with serving(server, tls=self.server_tls):
            return fetch_document(f"{server.url}/keys", client=trusting(context or self.client_tls))

    def test_returns_what_is_there(self) -> None:
        server = Server(body=b"keys")

        self.assertEqual(self.fetched(server), b"keys")
        self.assertEqual([(seen.method, seen.path) for seen in server.seen], [("GET", "/keys")])

    def test_trusts_no_authority_but_the_given_ones(self) -> None:
        with self.assertRaises(CallFailed):
            self.fetched(Server(body=b"keys"), ssl.create_default_context())

    def test_follows_no_redirect(self) -> None:
        server = Server(status=302, headers={"Location": "https://127.0.0.1/elsewhere"})

        with self.assertRaises(HubError):
            self.fetched(server)
        self.assertEqual(len(server.seen), 1)

    def test_takes_nothing_large(self) -> None:
        with self.assertRaises(HubError):
            self.fetched(Server(body=b"k" * (MAX_DOCUMENT_BYTES + 1)))

    def test_tells_absence_from_trouble(self) -> None:
        for status, error in ((404, NoSuchDocument), (403, NoSuchDocument), (429, HubError), (500, HubError)):
            with self.subTest(status=status), self.assertRaises(HubError) as caught:
                self.fetched(Server(status=status))
            self.assertIs(type(caught.exception), error)

    def test_reaches_no_private_address(self) -> None:
        with self.assertRaises(EgressRefused):
            fetch_document("https://127.0.0.1:1/keys", client=partial(guarded_client, allow=[]))


class KeptDocumentsTests(SimpleTestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        self.fetched: list[str] = []
        self.answer: bytes | HubError = b"first"
        self.documents = RemoteDocuments(fetch=self.fetch, clock=lambda: self.now)

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if isinstance(self.answer, HubError):
            raise self.answer
        return self.answer

    def test_are_fetched_once_and_anew_after_an_hour(self) -> None:
        self.documents.get(URL)
        self.now += 3599
        self.assertEqual((self.documents.get(URL), len(self.fetched)), (b"first", 1))
        self.now += 1
        self.documents.get(URL)
        self.assertEqual(len(self.fetched), 2)

    def test_remember_a_failure_for_a_minute(self) -> None:
        for answer, error in (
            (HubError("down"), KeysUnavailable),
            (EgressRefused("no"), KeysUnavailable),
            (NoSuchDocument("none"), VerificationFailed),
        ):
            with self.subTest(answer=answer):
                self.documents = RemoteDocuments(fetch=self.fetch, clock=lambda: self.now)
                self.fetched.clear()
                self.answer = answer
                for _ in range(3):
                    with self.assertRaises(error):
                        self.documents.get(URL)
                self.assertEqual(len(self.fetched), 1)
                self.now += 60
                self.answer = b"back"
                self.assertEqual(self.documents.get(URL), b"back")

    def test_are_bounded_in_fetches_a_minute(self) -> None:
        for number in range(20):
            self.documents.get(f"{URL}/{number}", by_stranger=True)
        with self.assertRaises(KeysUnavailable):
            self.documents.get(f"{URL}/one-more", by_stranger=True)
        self.assertEqual(self.documents.get(f"{URL}/3", by_stranger=True), b"first")
        self.now += 60
        self.assertEqual(self.documents.get(f"{URL}/one-more", by_stranger=True), b"first")

    def test_are_renewed_however_many_addresses_strangers_make_up(self) -> None:
        self.documents.get(f"{URL}/known", by_stranger=True)
        self.now += 3600
        self.answer = NoSuchDocument("none")
        for number in range(20):
            with self.assertRaises(VerificationFailed):
                self.documents.get(f"{URL}/{number}", by_stranger=True)
        with self.assertRaises(KeysUnavailable):
            self.documents.get(f"{URL}/one-more", by_stranger=True)

        self.answer = b"second"

        self.assertEqual(self.documents.get(f"{URL}/known", by_stranger=True), b"second")
        self.assertEqual(self.documents.get(URL), b"second")

    def test_hold_keys_by_kid_and_are_asked_again_for_a_new_one(self) -> None:
        keys = KeySet(url=URL)
        self.answer = json.dumps({"keys": [{**JWK, "kid": "old"}]}).encode()
        self.assertEqual(public_pem(keys.key("old", self.documents)), public_pem(KEY.public_key()))
        for _ in range(3):
            with self.assertRaises(VerificationFailed):
                keys.key("key-1", self.documents)
        self.assertEqual(len(self.fetched), 1)

        self.now += 60
        self.answer = json.dumps({"keys": [JWK]}).encode()

        self.assertEqual(public_pem(keys.key("key-1", self.documents)), public_pem(KEY.public_key()))
        self.assertEqual(len(self.fetched), 2)

    def test_survive_a_failed_search_for_a_newer_key(self) -> None:
        keys = KeySet(url=URL)
        self.answer = json.dumps({"keys": [JWK]}).encode()
        keys.key("key-1", self.documents)
        self.now += 60
        self.answer = HubError("down")

        with self.assertRaises(VerificationFailed):
            keys.key("made-up", self.documents)

        self.assertEqual(len(self.fetched), 2)
        keys.key("key-1", self.documents)

    def test_hold_certificates_by_kid_too(self) -> None:
        self.answer = json.dumps({"key-1": public_pem(KEY.public_key())}).encode()

        KeySet(url=URL).key("key-1", self.documents)

    def test_that_make_no_sense_have_no_keys(self) -> None:
        for number, answer in enumerate((b"", b"[]", b"{", b'{"keys": 5}', b'{"keys": [5, {}]}', b"[" * 60_000)):
            self.answer = answer
            with self.subTest(answer=answer[:10]), self.assertRaises(VerificationFailed):
                KeySet(url=f"{URL}/{number}").key("key-1", self.documents)

    def test_are_not_fetched_where_keys_are_pasted(self) -> None:
        keys = KeySet(url=URL, pasted={"key-1": JWK})

        keys.key("key-1", self.documents)
        with self.assertRaises(VerificationFailed):
            keys.key("key-2", self.documents)
        self.assertEqual(self.fetched, [])


class AnIdentityTests(SimpleTestCase):
    def test_is_what_stands_above_the_key(self) -> None:
        pem = public_pem(KEY.public_key())

        self.assertEqual(split_identity(f"name\n{pem}"), ("name", pem))
        self.assertEqual(split_identity("name"), ("name", ""))
        self.assertEqual(split_identity(pem), ("", pem))
        self.assertEqual(split_identity(' {"kty": "EC"}\n'), ("", '{"kty": "EC"}'))
