"""`queue.publish` by connections, to a real redis-server and librdkafka's mock cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from django.test import TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.dry_run import dry_run
from integrations.calling.blocked import Blocked, run_blocked
from integrations.calling.opening import StoredConnections
from integrations.calling.trying import try_connection
from integrations.connectors.egress import EgressRefused
from integrations.connectors.system import SystemFailed, SystemRefused
from integrations.contracts import Connections, Context
from integrations.errors import CircuitOpen, ConnectionMissing, ConnectionPaused, GiveUp, RateLimited
from integrations.guards import named_connections
from integrations.handlers import handlers
from integrations.models import Connection, ConnectionHealth, ConnectionState
from integrations.validation import validate_handler_config
from tests.factories import make_endpoint, make_event, make_route
from tests.integrations.calling.test_sharing import _database_url
from tests.integrations.calling.test_tokens import in_threads
from tests.integrations.connectors.brokers import LOOPBACK, Kafka, Redis, Sqs, free_port, needs_redis, redis_server
from tests.integrations.handlers.contexts import Kept, context_of, event_of
from tests.running_hub import ROOT

CONFIG = {"connection": "events", "queue": "orders"}
QUICK = {"max_attempts": 2, "initial_seconds": 0.001, "max_seconds": 0.01}


def context_for(config: Mapping[str, Any], journal: Kept, connections: Connections) -> Context:
    """Return the context of an attempt that has twenty seconds."""
    deadline = timezone.now() + timedelta(seconds=20)
    return replace(context_of(config, journal), deadline=deadline, connections=connections)


@override_settings(HUB_EGRESS_ALLOW=LOOPBACK)
class PublishingTestCase(TransactionTestCase):
    def connection(self, url: str, *, kind: str, **values: Any) -> Connection:
        row = Connection(**{"name": "events", "kind": kind, "base_url": url, "retry": QUICK, **values})
        row.full_clean()
        row.save()
        return row

    def publish(self, journal: Kept | None = None, *, number: int = 1, **config: Any) -> Any:
        """Run the handler for one attempt of a delivery; ``journal`` keeps its steps from one to the next."""
        config = {**CONFIG, **config}
        validate_handler_config("queue.publish", config)
        context = context_for(config, journal or Kept(), StoredConnections(uuid4()))
        return handlers["queue.publish"].run(event_of({"id": 7}, id=f"evt_{number}"), context)


@needs_redis
class AStreamTests(PublishingTestCase):
    server: Redis

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.server = cls.enterClassContext(redis_server())

    def setUp(self) -> None:
        self.server.client.flushall()
        self.row = self.connection(self.server.url, kind="redis")

    def test_gets_the_message_with_its_headers(self) -> None:
        found = self.publish(key="id", body={"number": "id"})

        [(place, fields)] = self.server.messages()
        self.assertEqual((found["id"].encode(), found["is_new"]), (place, True))
        self.assertEqual((fields[b"body"], fields[b"key"]), (b'{"number":7}', b"7"))
        self.assertEqual(fields[b"hub-event-id"], b"evt_1")
        self.assertEqual(len(fields[b"hub-message-id"]), 36)

    def test_gets_it_once_from_several_workers_at_once(self) -> None:
        found = in_threads(4, self.publish)

        self.assertEqual(len(self.server.messages()), 1)
        self.assertEqual([each["is_new"] for each in found].count(True), 1)

    def test_is_not_asked_again_for_what_was_sent(self) -> None:
        journal = Kept()
        first = self.publish(journal)
        self.server.client.flushall()

        self.assertEqual(self.publish(journal), first)
        self.assertEqual(self.server.messages(), [])

    def test_is_tried_by_the_button(self) -> None:
        trial = try_connection(self.row)
        self.assertEqual((trial.is_well, trial.text), (True, "events answered PING"))

        self.row.base_url = f"redis://127.0.0.1:{free_port()}"
        trial = try_connection(self.row)
        self.assertFalse(trial.is_well)
        self.assertIn("cannot be reached", trial.text)
        self.assertIn("cannot be reached", ConnectionHealth.objects.get().last_error)

    def test_gets_nothing_from_a_dry_run(self) -> None:
        endpoint = make_endpoint()
        route = make_route(endpoint, handler="queue.publish", config=CONFIG)

        [tried] = dry_run(route, [make_event(endpoint)])

        self.assertEqual(tried.told.does["queue"], "orders")
        self.assertEqual(
            [(call["method"], call["url"]) for call in tried.told.calls or ()], [("XADD", "redis://events/orders")]
        )
        self.assertEqual(self.server.messages(), [])
        self.assertFalse(ConnectionHealth.objects.exists())

    def test_does_nothing_else_in_a_dry_run(self) -> None:
        handler = handlers["log"]

        def reach(_: Any, context: Context) -> None:
            with context.system("events").call("FLUSHALL"):
                raise AssertionError("nothing is to be done")

        with self.assertRaisesMessage(GiveUp, "not done in a dry run"):
            run_blocked(
                replace(handler, run=reach), event_of({}), context_of({}, cast(Any, Blocked())), endpoint_id=uuid4()
            )

    def test_keeps_what_was_sent_with_the_attempt(self) -> None:
        journal = Kept()
        self.publish(journal, body={"number": "id"})

        [call] = journal.calls
        self.assertEqual((call["method"], call["url"], call["body"]), ("XADD", "redis://events/orders", '{"number":7}'))
        self.assertEqual(call["headers"]["hub-event-id"], "evt_1")

    def test_has_a_name_that_it_can_have(self) -> None:
        for name in ("a{b}", "a b", "ä"):
            with self.subTest(name), self.assertRaisesMessage(SystemRefused, "queue: "):
                self.publish(queue=name)

    def test_gets_no_more_than_the_rate(self) -> None:
        Connection.objects.update(rate_per_second=0.1, burst=1)
        self.publish()

        with self.assertRaises(RateLimited):
            self.publish(number=2)

    def test_is_left_alone_where_it_is_away(self) -> None:
        Connection.objects.update(base_url=f"redis://127.0.0.1:{free_port()}", breaker_failures=2)
        journal = Kept()

        with self.assertRaises(SystemFailed):
            self.publish(journal)
        with self.assertRaises(CircuitOpen):
            self.publish()

        self.assertEqual([answer["call"] for answer in journal.answers], ["events: XADD orders"] * 2)
        Connection.objects.update(state=ConnectionState.PAUSED)
        with self.assertRaises(ConnectionPaused):
            self.publish()


class ATopicTests(PublishingTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.cluster = Kafka()

    def setUp(self) -> None:
        self.row = self.connection(self.cluster.url, kind="kafka")

    def test_gets_the_message(self) -> None:
        found = self.publish()

        message = self.cluster.message("orders", found["partition"], found["offset"])
        self.assertEqual((message.key(), message.value()), (b"evt_1", event_of({}).body))
        self.assertIn(("hub-event-id", b"evt_1"), message.headers())

    def test_gets_all_from_several_workers_at_once(self) -> None:
        found = in_threads(4, self.publish)

        self.assertEqual(len({(each["partition"], each["offset"]) for each in found}), 4)

    def test_is_tried_by_the_button(self) -> None:
        self.row.test_path = "orders"

        self.assertEqual(try_connection(self.row).text, "events answered, with 1 broker(s)")

    @override_settings(HUB_EGRESS_ALLOW=[])
    def test_is_in_no_private_network_by_default(self) -> None:
        with self.assertRaises(EgressRefused):
            self.publish()
        self.assertIn("not a public address", try_connection(self.row).text)


class AQueueTests(PublishingTestCase):
    def test_gets_the_message_and_keeps_no_secret_on_the_attempt(self) -> None:
        sqs = self.enterContext(Sqs())
        proof = {"auth": "aws", "auth_settings": {"region": "eu-central-1"}}
        keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI-secret"}
        row = self.connection(sqs.url, kind="sqs", credentials=keys, test_path=sqs.queue("orders.fifo"), **proof)
        journal = Kept()

        found = self.publish(journal, queue=sqs.queue("orders.fifo"), body={"number": "id"})
        self.publish(queue=sqs.queue("orders.fifo"), body={"number": "id"})  # as if that had not been noted

        [message] = sqs.messages("orders.fifo")
        self.assertEqual((message["MessageId"], message["Body"]), (found["id"], '{"number":7}'))
        self.assertEqual([answer["status"] for answer in journal.answers], [200])
        self.assertNotIn("wJalrXUtnFEMI", str(journal.answers))
        self.assertTrue(try_connection(row).is_well)
        self.assertIsNotNone(ConnectionHealth.objects.get().last_success_at)

    def test_is_not_called_by_a_dry_run_which_shows_the_message(self) -> None:
        keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI-secret"}
        address, region = "https://sqs.eu-central-1.amazonaws.com", {"region": "eu-central-1"}
        self.connection(address, kind="sqs", credentials=keys, auth="aws", auth_settings=region)
        endpoint = make_endpoint()
        config = {**CONFIG, "queue": "123456789012/orders", "body": {"number": "id"}}
        route = make_route(endpoint, handler="queue.publish", config=config)

        [tried] = dry_run(route, [make_event(endpoint)])

        [call] = tried.told.calls or []
        self.assertEqual((tried.told.note, call["method"], call["url"]), ("", "POST", address))
        self.assertEqual(call["body"]["QueueUrl"], f"{address}/123456789012/orders")
        self.assertNotIn("AKIDEXAMPLE", str(call))


@needs_redis
@pytest.mark.any_database
class AWorkerTests(PublishingTestCase):
    """One that is killed after the brokers have taken its messages, and before that is kept anywhere."""

    def killed(self, *configs: Mapping[str, Any]) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "DATABASE_URL": _database_url(),
            "HUB_EGRESS_ALLOW": "127.0.0.0/8",
        }
        order = [sys.executable, "-m", "tests.integrations.calling.publisher", json.dumps(configs)]
        self.assertEqual(subprocess.run(order, cwd=ROOT, env=environment, timeout=60).returncode, -9)

    def test_that_is_killed_in_the_middle_doubles_nothing_that_can_be_told(self) -> None:
        server, cluster = self.enterContext(redis_server()), Kafka()
        self.connection(server.url, kind="redis", name="stream")
        self.connection(cluster.url, kind="kafka", name="topic")
        self.killed({**CONFIG, "connection": "stream"}, {**CONFIG, "connection": "topic"})
        self.assertEqual(len(server.messages()), 1)

        self.assertFalse(self.publish(connection="stream")["is_new"])
        again = self.publish(connection="topic")

        self.assertEqual(len(server.messages()), 1)
        ids = [
            dict(cluster.message("orders", again["partition"], offset).headers())["hub-message-id"]
            for offset in range(again["offset"] + 1)
        ]
        self.assertEqual((len(ids), len(set(ids))), (2, 1))


class AConnectionOfAnotherKindTests(PublishingTestCase):
    def test_is_refused(self) -> None:
        self.connection("https://api.example.com", kind="http")

        with self.assertRaisesMessage(SystemRefused, "it has to be of kafka, redis, sqs"):
            self.publish()

    def test_has_to_be_there(self) -> None:
        with self.assertRaises(ConnectionMissing):
            self.publish()

    def test_is_known_to_be_called(self) -> None:
        self.assertEqual(named_connections("queue.publish", CONFIG), ["events"])
