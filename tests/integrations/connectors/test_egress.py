"""Which addresses an outgoing call may reach."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import Any
from unittest.mock import patch

import httpcore
import pytest
from django.test import SimpleTestCase

from integrations.connectors.deadline import Deadline
from integrations.connectors.egress import EgressRefused, GuardedBackend, is_allowed, resolve
from integrations.connectors.http import call, guarded_client
from tests.integrations.connectors.servers import Server, serving

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


class TestPublicAddresses:
    @pytest.mark.parametrize(
        "text",
        ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
    )
    def test_may_be_reached(self, text: str) -> None:
        assert is_allowed(ip_address(text), [])


class TestAddressesThatAreNotPublic:
    @pytest.mark.parametrize(
        "text",
        [
            *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
            *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1"),
            *("192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
            *("::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1"),
            *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1"),
            *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"),
            *("2002:7f00:1::", "2002:808:808::", "2001:0:808:808::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
        ],
    )
    def test_are_refused(self, text: str) -> None:
        assert not is_allowed(ip_address(text), [])

    @pytest.mark.parametrize(
        ("text", "network"),
        [
            ("10.1.2.3", "10.1.0.0/16"),
            ("::ffff:10.1.2.3", "10.1.0.0/16"),
            ("64:ff9b::a01:203", "10.1.0.0/16"),
            ("fd00::1", "fd00::/8"),
            ("fe80::1%1", "fe80::/10"),
        ],
    )
    def test_may_be_reached_where_the_operator_names_their_network(self, text: str, network: str) -> None:
        assert is_allowed(ip_address(text), [ip_network(network)])

    def test_stay_refused_where_the_operator_names_another_network(self) -> None:
        assert not is_allowed(ip_address("10.2.0.1"), [ip_network("10.1.0.0/16"), ip_network("fd00::/8")])


class ResolverTests(SimpleTestCase):
    def test_returns_each_address_once(self) -> None:
        self.assertEqual(resolve("127.0.0.1", 80, 5), [ip_address("127.0.0.1")])

    def test_reads_odd_spellings_as_the_system_does(self) -> None:
        for host in ("0x7f.1", "2130706433", "127.1", "017700000001"):
            with self.subTest(host):
                self.assertEqual(resolve(host, 80, 5), [ip_address("127.0.0.1")])

    def test_reports_a_name_that_cannot_be_one(self) -> None:
        with self.assertRaises(httpcore.ConnectError):
            resolve("a" * 64 + ".example", 80, 5)

    def test_does_not_wait_for_a_resolver_that_hangs(self) -> None:
        never = socket.socketpair()

        def hang(*args: Any, **options: Any) -> Any:
            never[0].recv(1)
            raise OSError

        with patch("socket.getaddrinfo", hang), self.assertRaises(httpcore.ConnectTimeout):
            resolve("slow.example", 80, 0.1)
        for end in never:
            end.close()


class TestAConnection:
    def test_goes_to_the_checked_address_whatever_the_name_says_next(self) -> None:
        """DNS rebinding: every look-up after the first leads to a private address, where a victim listens."""
        answers = [ip_address("127.0.0.2")]
        real = socket.getaddrinfo

        def rebinding(host: str, port: int, *args: Any, **options: Any) -> Any:
            if host == "rebind.example":
                host = str(answers.pop(0)) if answers else "127.0.0.1"
            return real(host, port, *args, **options)

        with (
            serving(Server(host="127.0.0.2")) as chosen,
            serving(Server(port=chosen.port)) as victim,
            guarded_client(5, allow=[ip_network("127.0.0.2/32")]) as client,
            patch("socket.getaddrinfo", rebinding),
        ):
            reply = call(client, "GET", f"http://rebind.example:{chosen.port}/")

        assert reply.status == 200
        assert [seen.headers["host"] for seen in chosen.seen] == [f"rebind.example:{chosen.port}"]
        assert victim.seen == []

    def test_is_refused_if_any_of_the_addresses_is_private(self) -> None:
        backend = GuardedBackend(
            allow=[],
            deadline=Deadline(5),
            resolve=lambda host, port, timeout: [ip_address("8.8.8.8"), ip_address("10.0.0.7")],
        )
        with pytest.raises(EgressRefused, match=r"mixed\.example leads to 10\.0\.0\.7, which is not a public address"):
            backend.connect_tcp("mixed.example", 80, 1)

    def test_is_made_with_the_next_address_if_the_first_refuses(self) -> None:
        with serving(Server()) as server:
            backend = GuardedBackend(
                allow=LOOPBACK,
                deadline=Deadline(5),
                resolve=lambda host, port, timeout: [ip_address("127.0.0.9"), ip_address("127.0.0.1")],
            )
            stream = backend.connect_tcp("two.example", server.port, 2)
            peer = stream.get_extra_info("server_addr")
            stream.close()
        assert peer[0] == "127.0.0.1"

    def test_fails_if_the_name_has_no_address(self) -> None:
        backend = GuardedBackend(allow=[], deadline=Deadline(5), resolve=lambda host, port, timeout: [])
        with pytest.raises(httpcore.ConnectError):
            backend.connect_tcp("nothing.example", 80, 1)

    def test_is_not_begun_after_the_deadline(self) -> None:
        now = [0.0]
        backend = GuardedBackend(allow=LOOPBACK, deadline=Deadline(5, clock=lambda: now[0]))
        now[0] = 6.0
        with pytest.raises(httpcore.ConnectTimeout):
            backend.connect_tcp("127.0.0.1", 80, 1)

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "localhost",
            "0x7f.1",
            "2130706433",
            "127.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "0",
        ],
    )
    def test_to_this_machine_is_refused_however_it_is_spelt(self, host: str) -> None:
        with serving(Server()) as server, guarded_client(5, allow=[]) as client, pytest.raises(EgressRefused):
            call(client, "GET", f"http://{host}:{server.port}/")
        assert server.seen == []
