"""A Kafka topic, against the mock cluster that librdkafka brings: real sockets on loopback, brokers in memory."""

from __future__ import annotations

import socket
import tempfile
import traceback
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from confluent_kafka import KafkaError
from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations.connectors import extras, kafka
from integrations.connectors.egress import EgressRefused
from integrations.connectors.extras import ClientMissing
from integrations.connectors.kafka import _check_topic, _options, produce
from integrations.connectors.kinds import kinds
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import SystemFailed, SystemRefused
from tests.integrations.connectors.brokers import LOOPBACK, Kafka, free_port
from tests.integrations.connectors.servers import make_certificate, talking

PASSWORD = "s3cret-Of-The-Topic"


class AKafkaTopic(SimpleTestCase):
    cluster: Kafka
    spec: ConnectionSpec

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.cluster = Kafka()
        cls.spec = ConnectionSpec("events", cls.cluster.url, kind="kafka", allow=LOOPBACK)

    def send(self, body: bytes = b"{}", *, spec: ConnectionSpec | None = None, **options: Any) -> tuple[int, int]:
        wanted: dict[str, Any] = {"key": "7", "headers": {"hub-event-id": "evt_1"}, "seconds": 8.0}
        return produce(spec or self.spec, "orders", body, **{**wanted, **options})

    def test_takes_a_message_with_its_key_and_headers(self) -> None:
        found = self.cluster.message("orders", *self.send(b"as it came"))

        self.assertEqual((found.key(), found.value()), (b"7", b"as it came"))
        self.assertEqual(found.headers(), [("hub-event-id", b"evt_1")])

    def test_keeps_messages_of_one_key_in_one_partition_in_order(self) -> None:
        (first, offset), (second, later) = self.send(), self.send()

        self.assertEqual(first, second)
        self.assertGreater(later, offset)

    def test_is_not_reached_where_the_address_is_private(self) -> None:
        with self.assertRaises(EgressRefused):
            self.send(spec=replace(self.spec, allow=()))

    def test_is_not_written_to_where_the_cluster_advertises_a_private_address(self) -> None:
        answers = iter([[ip_address("127.0.0.1")], [ip_address("169.254.169.254")]])
        with self.assertRaises(EgressRefused):
            self.send(resolve=lambda *_: next(answers))

    def test_refuses_for_good_what_is_too_large(self) -> None:
        with self.assertRaisesMessage(SystemRefused, "MSG_SIZE_TOO_LARGE"):
            self.send(b"x" * 2_000_000)

    def test_is_left_alone_where_too_many_messages_wait(self) -> None:
        self.send()
        [name] = [name for name in kafka._producers if self.cluster.address in str(name)]
        full = mock.Mock(wraps=kafka._producers[name], produce=mock.Mock(side_effect=BufferError))

        with mock.patch.dict(kafka._producers, {name: full}), self.assertRaises(SystemFailed) as failed:
            self.send()
        self.assertTrue(failed.exception.was_not_done)

    def test_gets_messages_of_one_process_by_one_producer(self) -> None:
        self.send(), self.send()

        self.assertEqual(len([name for name in kafka._producers if self.cluster.address in str(name)]), 1)

    def test_that_is_away_is_tried_again_as_nothing_was_written(self) -> None:
        away = replace(self.spec, base_url=f"kafka://127.0.0.1:{free_port()}")
        with self.assertRaises(SystemFailed) as failed:
            self.send(spec=away, seconds=0.5)
        self.assertTrue(failed.exception.was_not_done)

    def test_leads_nowhere_without_the_client(self) -> None:
        missing = mock.patch.object(extras, "import_module", side_effect=ModuleNotFoundError(name="confluent_kafka"))
        with missing, self.assertRaisesMessage(ClientMissing, "requirements-extras.txt confluent-kafka"):
            self.send()


class AnEncryptedConnection(SimpleTestCase):
    """The mock cluster knows no TLS: a server of the test's shakes hands, and looks at what comes first."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.seen: list[bytes] = []

    def trusted(self, name: str) -> Any:
        """Take a certificate of that name into service, and return what lets the client trust it."""
        self.mine, _ = make_certificate(self.folder, names=[name])
        return mock.patch.dict("os.environ", SSL_CERT_FILE=str(self.folder / "certificate.pem"))

    def talk(self, connection: socket.socket) -> None:
        with self.mine.wrap_socket(connection, server_side=True) as encrypted:
            self.seen.append(encrypted.recv(4096))

    def asked(self, **options: Any) -> None:
        with talking(self.talk) as url, self.assertRaises(SystemFailed) as failed:
            spec = ConnectionSpec("events", url.replace("http", "kafka+tls"), allow=LOOPBACK, **options)
            produce(spec, "orders", b"", key="k", headers={}, seconds=0.6)
        self.assertTrue(failed.exception.was_not_done)

    def test_is_made_to_a_broker_whose_certificate_is_vouched_for(self) -> None:
        with self.trusted("127.0.0.1"):
            self.asked()
        self.assertIn(b"automation-hub", self.seen[0])

    def test_carries_nothing_to_any_other(self) -> None:
        sasl = {"auth": "sasl", "auth_settings": {"mechanism": "PLAIN"}}
        with self.trusted("another.example"):
            self.asked(**sasl, credentials={"username": "hub", "password": PASSWORD})
        self.trusted("127.0.0.1")  # and yet not: nobody is told to
        self.asked(**sasl, credentials={"username": "hub", "password": PASSWORD})
        self.assertEqual(b"".join(self.seen), b"")


class ATopicThatIsNotTaken(SimpleTestCase):
    """The mock cluster makes every topic, so that these are the errors of the client without a cluster."""

    def found(self, error: int) -> Any:
        return SimpleNamespace(topics={"orders": SimpleNamespace(error=KafkaError(error))})

    def test_is_refused_for_good_where_the_user_may_not(self) -> None:
        with self.assertRaises(SystemRefused):
            _check_topic(self.found(KafkaError.TOPIC_AUTHORIZATION_FAILED), "orders", has_to_be_there=False)

    def test_may_be_made_by_the_cluster_but_is_named_by_a_test(self) -> None:
        found = self.found(KafkaError.UNKNOWN_TOPIC_OR_PART)
        _check_topic(found, "orders", has_to_be_there=False)

        with self.assertRaisesMessage(SystemFailed, "UNKNOWN_TOPIC_OR_PART"):
            _check_topic(found, "orders", has_to_be_there=True)


class TheAddressOfAKafkaCluster(SimpleTestCase):
    def test_is_a_list_of_brokers_and_says_whether_it_is_encrypted(self) -> None:
        for url in (
            "kafka://h",
            "kafka://h:1,",
            "kafka://u:secret@h:1",
            "http://h:1",
            "kafka://h:99999",
            "kafka://h:1/x",
        ):
            with self.subTest(url), self.assertRaises(ValidationError) as refused:
                kinds["kafka"].form(url)
            self.assertNotIn("secret", str(refused.exception))
        for url in ("kafka://h:9092", "kafka+tls://a.example:9093,[::1]:9093"):
            kinds["kafka"].form(url)

    def test_decides_with_the_proof_what_is_spoken(self) -> None:
        sasl = {"auth": "sasl", "auth_settings": {"mechanism": "SCRAM-SHA-512"}}
        credentials = {"username": "hub", "password": PASSWORD}
        spec = ConnectionSpec("events", "kafka+tls://h:1", credentials=credentials, **sasl)  # type: ignore[arg-type]

        options = _options(spec)

        self.assertEqual((options["security.protocol"], options["sasl.mechanism"]), ("SASL_SSL", "SCRAM-SHA-512"))
        self.assertEqual(_options(ConnectionSpec("e", "kafka://h:1"))["security.protocol"], "PLAINTEXT")

    def test_is_not_found_with_a_password_in_an_error(self) -> None:
        credentials = {"username": "hub", "password": PASSWORD}
        spec = ConnectionSpec(
            "events",
            f"kafka://127.0.0.1:{free_port()}",
            auth="sasl",
            auth_settings={"mechanism": "SCRAM-SHA-256"},
            credentials=credentials,
            allow=LOOPBACK,
        )
        with self.assertRaises(SystemFailed) as failed:
            produce(spec, "orders", b"", key="k", headers={}, seconds=0.5)
        self.assertNotIn(PASSWORD, "".join(traceback.format_exception(failed.exception)))
