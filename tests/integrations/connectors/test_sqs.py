"""SQS queues, against moto's server; what AWS says of keys that it does not take is said by a server of the test's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import httpx
import time_machine

from integrations.connectors import extras
from integrations.connectors.answers import AnswerNotSuccessful
from integrations.connectors.client import HttpClient
from integrations.connectors.extras import ClientMissing
from integrations.connectors.kinds import kinds
from integrations.connectors.proving import prove
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.sqs import send
from integrations.errors import GiveUp
from tests.integrations.connectors.brokers import Sqs
from tests.integrations.connectors.clients import ClientTestCase

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}
PROOF: dict[str, Any] = {"kind": "sqs", "auth": "aws", "auth_settings": {"region": "eu-central-1"}, "credentials": KEYS}


class SqsTestCase(ClientTestCase):
    def sent(self, client: HttpClient, queue: str = "123456789012/orders", **changes: Any) -> Any:
        usual = {"body": b'{"id": 7}', "key": "7", "message_id": "m-1", "headers": {"hub-event-id": "evt_1"}}
        return send(client, queue, **{**usual, **changes})


class AQueue(SqsTestCase):
    sqs: Sqs

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.sqs = cls.enterClassContext(Sqs())

    def setUp(self) -> None:
        super().setUp()
        self.client_here = self.client_of(self.sqs.url, **PROOF)

    def test_takes_a_message_with_its_headers(self) -> None:
        found = self.sent(self.client_here, self.sqs.queue("orders"))

        [message] = self.sqs.messages("orders")
        self.assertEqual((message["MessageId"], message["Body"]), (found["id"], '{"id": 7}'))
        attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        self.assertEqual(attributes, {"hub-event-id": "evt_1", "key": "7"})

    def test_takes_a_message_once_and_in_its_group_where_it_is_a_fifo_queue(self) -> None:
        queue = self.sqs.queue("orders.fifo")
        for message_id in ("m-1", "m-1", "m-2"):
            self.sent(self.client_here, queue, message_id=message_id)

        messages = self.sqs.messages("orders.fifo")
        self.assertEqual([message["Attributes"]["MessageGroupId"] for message in messages], ["7", "7"])

    def test_that_is_not_there_is_refused_by_its_word(self) -> None:
        with self.assertRaisesMessage(GiveUp, "SQS refuses it: "):
            self.sent(self.client_here, "123456789012/missing")

    def test_is_looked_at_by_the_test_of_a_connection(self) -> None:
        ask = kinds["sqs"].ask
        assert ask is not None

        for path in ("", self.sqs.queue("orders")):
            self.assertEqual(ask(self.client_here, path).status_code, 200)
        with self.assertRaises(GiveUp):
            ask(self.client_here, "123456789012/missing")

    def test_takes_no_message_that_is_no_text(self) -> None:
        for body in (b"\xff", b"", b"a\x00b", "\ufffe".encode()):
            with self.subTest(body), self.assertRaisesMessage(GiveUp, "body: "):
                self.sent(self.client_here, body=body)
        with self.assertRaisesMessage(GiveUp, "key: "):
            self.sent(self.client_here, "123456789012/orders.fifo", key="two words")


class ARefusal(SqsTestCase):
    def refused(self, status: int, said: Any) -> Any:
        server = self.server(status=status, body=json.dumps(said).encode())
        return self.client_of(server.url, **PROOF), server

    def test_is_for_good_and_names_no_value(self) -> None:
        for kind, status in (("com.amazonaws.sqs#InvalidMessageContents", 400), ("AccessDeniedException", 403)):
            client, server = self.refused(status, {"__type": kind, "message": SECRET})
            with self.subTest(kind), self.assertRaisesMessage(GiveUp, kind.rpartition("#")[2]) as refused:
                self.sent(client)
            self.assertNotIn(SECRET, str(refused.exception))
            self.assertEqual(len(server.seen), 1)

    def test_is_not_for_good_where_it_was_too_much(self) -> None:
        client, _ = self.refused(400, {"__type": "com.amazonaws.sqs#RequestThrottled"})

        with self.assertRaises(AnswerNotSuccessful):
            self.sent(client)

    def test_may_be_anything(self) -> None:
        for said in (None, [], {}, {"__type": 7}, {"__type": "two words"}):
            client, _ = self.refused(400, said)
            with self.subTest(said), self.assertRaisesMessage(GiveUp, "SQS refuses it: 400"):
                self.sent(client)

    def test_comes_after_other_tries_where_the_server_is_unwell(self) -> None:
        client, server = self.refused(503, {})

        with self.assertRaises(AnswerNotSuccessful):
            self.sent(client)
        self.assertEqual(len(server.seen), 3)


class ASignature(SqsTestCase):
    def proven(self, request: httpx.Request, **settings: str) -> str:
        spec = ConnectionSpec(
            "api", "https://example.amazonaws.com", auth="aws", auth_settings=settings, credentials=KEYS
        )
        with time_machine.travel("2015-08-30T12:36:00Z", tick=False):
            return prove(request, spec, now=datetime.now(UTC)).headers["Authorization"]

    def test_is_the_one_that_aws_publishes(self) -> None:
        """``get-vanilla`` of AWS' test suite of Signature Version 4."""
        found = self.proven(
            httpx.Request("GET", "https://example.amazonaws.com/"), region="us-east-1", service="service"
        )

        self.assertEqual(
            found,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date, "
            "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        )

    def test_covers_what_is_sent_and_carries_no_secret(self) -> None:
        server = self.server(body=b'{"MessageId": "1"}')

        self.sent(self.client_of(server.url, **PROOF))

        sent = server.seen[0].headers
        self.assertIn("SignedHeaders=content-type;host;x-amz-date;x-amz-target", sent["authorization"])
        self.assertIn("/eu-central-1/sqs/aws4_request", sent["authorization"])
        self.assertNotIn(SECRET, str(sent))
        self.assertEqual(server.seen[0].path, "/")

    def test_needs_the_library(self) -> None:
        missing = mock.patch.object(extras, "import_module", side_effect=ModuleNotFoundError(name="botocore"))
        with missing, self.assertRaisesMessage(ClientMissing, "requirements-extras.txt botocore"):
            self.sent(self.client_of("http://127.0.0.1:9", **PROOF))
