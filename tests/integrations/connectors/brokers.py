"""Real brokers on loopback: Debian's own redis-server, librdkafka's mock cluster, and moto in the place of SQS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest import skipUnless
from uuid import uuid4

import redis
from confluent_kafka import Consumer, Producer, TopicPartition

LOOPBACK = [ip_network("127.0.0.0/8")]
_SERVER = shutil.which("redis-server")
#: Skipped only where nobody has installed it; in CI it has to be there.
HAS_REDIS = bool(_SERVER or os.environ.get("CI"))
needs_redis = skipUnless(HAS_REDIS, "redis-server is not installed")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass(frozen=True)
class Redis:
    """A running server: its port, and a client that may do everything."""

    port: int
    client: Any

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def messages(self, stream: str = "orders") -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Return the messages of a stream, the oldest first."""
        found: list[tuple[bytes, dict[bytes, bytes]]] = self.client.xrange(stream)
        return found


@contextmanager
def redis_server(*options: str, certificate: Path | None = None, port: int = 0) -> Iterator[Redis]:
    """Run a server that keeps nothing on disk; with ``certificate`` it speaks TLS."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        order = [str(_SERVER), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        if certificate is not None:
            files = [str(certificate)] * 3
            names = ("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file")
            order += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
            order += [part for pair in zip(names, files, strict=True) for part in pair]
        else:
            order += ["--port", str(port)]
        server = subprocess.Popen([*order, *options], stdout=subprocess.DEVNULL)
        tls = {"ssl": True, "ssl_ca_certs": str(certificate), "ssl_check_hostname": False} if certificate else {}
        client = redis.Redis(port=port, **tls)
        try:
            _wait_for(client)
            yield Redis(port, client)
        finally:
            client.close()
            server.kill()
            server.wait(10)


def _wait_for(client: Any) -> None:
    for _ in range(200):
        try:
            client.ping()
        except redis.AuthenticationError:
            return
        except redis.ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("redis-server did not start")


class Kafka:
    """A cluster in this process, for as long as it is referred to."""

    def __init__(self, *, brokers: int = 1) -> None:
        self._owner: Any = Producer({"test.mock.num.brokers": brokers})
        found = self._owner.list_topics(timeout=5).brokers.values()
        self.brokers = [(broker.host, broker.port) for broker in found]

    @property
    def address(self) -> str:
        return ",".join(f"{host}:{port}" for host, port in self.brokers)

    @property
    def url(self) -> str:
        return f"kafka://{self.address}"

    def message(self, topic: str, partition: int, offset: int) -> Any:
        """Return one message, None if there is none."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "test", "fetch.wait.max.ms": 10})
        try:
            consumer.assign([TopicPartition(topic, partition, offset)])
            return consumer.poll(5)
        finally:
            consumer.close()


class Sqs:
    """Moto's server, for as long as it is entered; its queues are as long as the process, so that names are its own."""

    def __enter__(self) -> Sqs:
        self._server = import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret", "region_name": "eu-central-1"}
        self._prefix = uuid4().hex
        self._client: Any = import_module("boto3").client("sqs", endpoint_url=self.url, **keys)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._server.stop()

    def queue(self, name: str) -> str:
        """Return ACCOUNT/NAME of a queue, made if it is not there."""
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        made = self._client.create_queue(QueueName=f"{self._prefix}-{name}", Attributes=attributes)
        return "/".join(made["QueueUrl"].split("/")[-2:])

    def messages(self, name: str) -> list[dict[str, Any]]:
        """Return what is in the queue, up to ten."""
        url = f"{self.url}/{self.queue(name)}"
        options = {"MessageAttributeNames": ["All"], "AttributeNames": ["All"], "MaxNumberOfMessages": 10}
        found: list[dict[str, Any]] = self._client.receive_message(QueueUrl=url, **options).get("Messages", [])
        return found
