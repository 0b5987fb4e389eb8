"""A Redis stream, against Debian's own redis-server."""

from __future__ import annotations

import socket
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations.connectors import extras
from integrations.connectors.egress import EgressRefused
from integrations.connectors.extras import ClientMissing
from integrations.connectors.kinds import kinds
from integrations.connectors.redis_stream import add_once
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import SystemFailed, SystemRefused
from tests.integrations.connectors.brokers import LOOPBACK, Redis, free_port, needs_redis, redis_server
from tests.integrations.connectors.servers import make_certificate, talking

PASSWORD = "s3cret-Of-The-Stream"


def add(url: str, key: str = "k1", **options: Any) -> tuple[str, bool]:
    named = {name: options.pop(name) for name in ("allow", "auth", "credentials") if name in options}
    spec = ConnectionSpec("events", url, kind="redis", **{"allow": LOOPBACK, **named})
    return add_once(spec, "orders", {"body": b"{}"}, key=key, **{"longest": 1000, "seconds": 3.0, **options})


@needs_redis
class ARedisStream(SimpleTestCase):
    server: Redis

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.server = cls.enterClassContext(redis_server())

    def setUp(self) -> None:
        self.server.client.flushall()

    def test_takes_a_message(self) -> None:
        found, is_new = add(self.server.url)

        self.assertTrue(is_new)
        self.assertEqual(self.server.messages(), [(found.encode(), {b"body": b"{}"})])

    def test_takes_each_key_once_from_many_at_once(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda number: add(self.server.url, f"k{number % 2}"), range(24)))

        self.assertEqual(len(self.server.messages()), 2)
        self.assertEqual(len({place for place, _ in found}), 2)
        self.assertEqual(sum(is_new for _, is_new in found), 2)

    def test_is_in_the_database_that_the_address_names(self) -> None:
        add(f"{self.server.url}/3")

        self.assertEqual(self.server.messages(), [])

    def test_keeps_about_as_many_as_it_is_told(self) -> None:
        for number in range(250):
            self.server.client.xadd("orders", {"number": number})

        add(self.server.url, longest=100)

        self.assertLess(len(self.server.messages()), 240)

    def test_forgets_a_key_in_a_week(self) -> None:
        add(self.server.url)

        self.assertAlmostEqual(self.server.client.ttl("{orders}:sent:k1"), 7 * 24 * 3600, delta=10)

    def test_is_not_reached_where_the_address_is_private(self) -> None:
        with self.assertRaises(EgressRefused):
            add(self.server.url, allow=())
        self.assertEqual(self.server.messages(), [])

    def test_is_not_reached_by_a_name_of_which_one_address_is_private(self) -> None:
        answers = [ip_address("127.0.0.1"), ip_address("169.254.169.254")]
        with self.assertRaises(EgressRefused):
            add(self.server.url, resolve=lambda *_: answers)

    def test_refuses_for_good_what_is_no_stream(self) -> None:
        self.server.client.set("orders", "text")
        with self.assertRaisesMessage(SystemRefused, "no stream"):
            add(self.server.url)

    def test_that_is_full_is_tried_again(self) -> None:
        self.server.client.config_set("maxmemory", 1)
        self.addCleanup(self.server.client.config_set, "maxmemory", 0)

        with self.assertRaises(SystemFailed) as failed:
            add(self.server.url)
        self.assertTrue(failed.exception.was_not_done)


@needs_redis
class AUserOfARedisServer(SimpleTestCase):
    server: Redis

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        make_certificate(folder, names=["127.0.0.1"])
        cls.certificate = folder / "certificate.pem"
        user = ("--user", "hub", "on", f">{PASSWORD}", "~orders", "~{orders}:*", "+eval", "+xadd", "+get", "+set")
        reader = ("--user", "reader", "on", f">{PASSWORD}", "~*", "+ping")
        cls.server = cls.enterClassContext(redis_server(*user, *reader, certificate=cls.certificate))

    def add(self, username: str = "hub", password: str = PASSWORD, *, host: str = "127.0.0.1") -> tuple[str, bool]:
        credentials = {"username": username, "password": password}
        with mock.patch.dict("os.environ", SSL_CERT_FILE=str(self.certificate)):
            return add(f"rediss://{host}:{self.server.port}", auth="basic", credentials=credentials)

    def test_writes_over_tls(self) -> None:
        self.assertTrue(self.add()[1])
        self.assertEqual(len(self.server.messages()), 1)

    def test_is_refused_for_good_with_a_wrong_password_or_without_the_right(self) -> None:
        for username, password, said in (("hub", f"{PASSWORD}!", "password"), ("reader", PASSWORD, "may not")):
            with self.subTest(username), self.assertRaisesMessage(SystemRefused, said) as refused:
                self.add(username, password)
            self.assertNotIn(PASSWORD, "".join(traceback.format_exception(refused.exception)))

    def test_sends_nothing_where_the_certificate_is_anothers_or_nobody_vouches_for_it(self) -> None:
        with self.assertRaises(SystemFailed):
            self.add(host="localhost")
        with self.assertRaises(SystemFailed):
            add(f"rediss://127.0.0.1:{self.server.port}")


class AServerThatIsNone(SimpleTestCase):
    def test_is_tried_again_if_it_is_away_and_took_nothing(self) -> None:
        with self.assertRaises(SystemFailed) as failed:
            add(f"redis://127.0.0.1:{free_port()}")
        self.assertTrue(failed.exception.was_not_done)

    def test_is_cut_off_in_time_however_slowly_it_drips(self) -> None:
        def drip(connection: socket.socket) -> None:
            for _ in range(100):
                connection.sendall(b"1")
                time.sleep(0.05)

        with talking(drip) as url:
            began = time.monotonic()
            with self.assertRaises(SystemFailed) as failed:
                add(url.replace("http", "redis"), seconds=0.3)
        self.assertLess(time.monotonic() - began, 2)
        self.assertFalse(failed.exception.was_not_done)

    def test_that_is_another_node_of_a_cluster_is_said_to_be_one(self) -> None:
        def moved(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(b"-MOVED 3999 10.0.0.1:6381\r\n")

        with talking(moved) as url, self.assertRaisesMessage(SystemRefused, "cluster"):
            add(url.replace("http", "redis"))

    def test_is_no_address(self) -> None:
        for url in (
            "redis://h?protocol=3",
            "unix:///tmp/s",
            "redis://",
            "redis://u:secret@h",
            "http://h",
            "redis://h:0",
        ):
            with self.subTest(url), self.assertRaises(ValidationError) as refused:
                kinds["redis"].form(url)
            self.assertNotIn("secret", str(refused.exception))
        for url in ("redis://h", "rediss://h.example:6380/2", "redis://[::1]:6379"):
            kinds["redis"].form(url)

    def test_leads_nowhere_without_the_client(self) -> None:
        missing = mock.patch.object(extras, "import_module", side_effect=ModuleNotFoundError(name="redis"))
        with missing, self.assertRaisesMessage(ClientMissing, "pip install -c requirements-extras.txt redis"):
            add("redis://127.0.0.1")
