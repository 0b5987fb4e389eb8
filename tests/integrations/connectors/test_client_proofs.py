"""The proofs that the client puts on a call, and that no secret is seen anywhere else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from integrations.connectors.http import CallFailed
from integrations.connectors.tries import Tries
from integrations.contracts import InboundRequest, case_insensitive
from integrations.providers import providers
from tests.integrations.connectors.clients import (
    SECRET,
    ClientTestCase,
)
from tests.integrations.connectors.servers import (
    Seen,
)


class ProofTests(ClientTestCase):
    def sent(self, **values: Any) -> Seen:
        server = self.server()
        client = self.client_of(f"{server.url}/v1", **values)
        client.post("/a?b=1", content=b'{"id":  7}', headers={"Content-Type": "application/json"})
        return server.seen[0]

    def verified(self, preset: str, sent: Seen, *, settings: Mapping[str, Any], secret: str) -> int:
        request = InboundRequest(
            method=sent.method,
            url=f"http://127.0.0.1{sent.path}",
            query_string="b=1",
            headers=case_insensitive(sent.headers),
            body=sent.body,
            received_at=datetime.now(UTC),
        )
        return providers[preset].scheme_for(settings).verify(request, [secret])

    def test_by_hmac_is_one_that_the_hub_itself_takes(self) -> None:
        for settings in (
            {},
            {
                "header": "X-Sig",
                "algorithm": "sha512",
                "encoding": "base64",
                "prefix": "v1=",
                "template": "{timestamp}.{body}",
                "timestamp_header": "X-At",
            },
        ):
            with self.subTest(settings=settings):
                sent = self.sent(auth="hmac", auth_settings=settings, credentials={"secret": SECRET})
                self.verified("generic_hmac", sent, settings=settings, secret=SECRET)
                self.assertEqual(sent.body, b'{"id":  7}')

    def test_by_standard_webhooks_is_what_its_specification_says(self) -> None:
        key = b"k" * 32
        secret = "whsec_" + base64.b64encode(key).decode()

        sent = self.sent(auth="standard_webhooks", credentials={"secret": secret})

        self.verified("standard_webhooks", sent, settings={}, secret=secret)
        signed = f"{sent.headers['webhook-id']}.{sent.headers['webhook-timestamp']}.".encode() + sent.body
        digest = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        self.assertEqual(sent.headers["webhook-signature"], f"v1,{digest}")

    def test_by_standard_webhooks_names_a_message_alike_each_time_it_is_sent(self) -> None:
        server = self.server(status=503)
        secret = "whsec_" + base64.b64encode(b"k" * 32).decode()

        for _attempt in range(2):
            client = self.client_of(
                server.url,
                auth="standard_webhooks",
                credentials={"secret": secret},
                idempotency_header="Idempotency-Key",
                tries=Tries(2, 0.001, 1),
            )
            client.post("/a", json={})

        self.assertEqual(len(server.seen), 4)
        self.assertEqual(len({sent.headers["webhook-id"] for sent in server.seen}), 1)

    def test_stands_in_its_place(self) -> None:
        basic = self.sent(auth="basic", credentials={"username": "ada", "password": "ünsafe:1"})
        query = self.sent(auth="query", auth_settings={"name": "key"}, credentials={"value": SECRET})
        header = self.sent(
            auth="header", auth_settings={"name": "X-Vendor", "prefix": "Key "}, credentials={"value": SECRET}
        )

        pair = base64.b64encode("ada:ünsafe:1".encode()).decode()
        self.assertEqual(basic.headers["authorization"], f"Basic {pair}")
        self.assertEqual(query.path, "/v1/a?b=1&key=sword%2Ffish%2612345")
        self.assertEqual(header.headers["x-vendor"], f"Key {SECRET}")


class SecretTests(ClientTestCase):
    def test_is_in_no_summary_however_the_other_side_spells_it(self) -> None:
        spelled = {
            "plain": SECRET,
            "php": json.dumps(SECRET).replace("/", "\\/"),
            "address": "sword%2Ffish%2612345",
            "lower": "sword%2ffish%2612345",
            "html": "sword/fish&amp;12345",
            "base64": base64.b64encode(SECRET.encode()).decode(),
        }
        for name, text in spelled.items():
            with self.subTest(name=name):
                self.kept.clear()
                server = self.server(status=500, body=f"you sent {text}!".encode(), headers={"X-Echo": text})
                self.client_of(server.url, auth="bearer", credentials={"token": SECRET}).post("/a")
                self.assertNotIn("12345", str(self.kept))
                self.assertNotIn(text, str(self.kept))

    def test_is_in_no_error_no_log_and_no_repr(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as unused:
            port = unused.getsockname()[1]
        server = self.server()
        for url in (f"http://127.0.0.1:{port}", server.url):
            client = self.client_of(url, auth="query", auth_settings={"name": "key"}, credentials={"value": SECRET})
            with self.subTest(url=url), self.assertLogs(level="DEBUG") as logged:
                logging.getLogger("tests").debug("so that there is a line")
                try:
                    shown = repr(client.get("/a"))
                except CallFailed as exc:
                    shown = f"{exc!r} {exc.__cause__!r} {exc.__context__!r}"
                for text in (shown, str(logged.output), str(self.kept), str(self.gate.told)):
                    self.assertNotIn("12345", text)
