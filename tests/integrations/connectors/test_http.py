"""The guarded HTTP client, against real servers that behave badly."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import httpx
import pytest
from django.test import override_settings

from integrations.connectors.egress import EgressRefused
from integrations.connectors.http import CallFailed, CallImpossible, CallTimedOut, Reply, call, guarded_client
from integrations.errors import GiveUp
from tests.integrations.connectors.servers import Server, make_certificate, serving, take_request, talking

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


def get(url: str, *, seconds: float = 5, **options: object) -> Reply:
    with guarded_client(seconds, allow=LOOPBACK) as client:
        return call(client, "GET", url, **options)  # type: ignore[arg-type]


@contextlib.contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


class TestACall:
    def test_sends_method_headers_and_body_as_they_are(self) -> None:
        body = bytes(range(256))
        answering = Server(status=201, headers={"X-Answer": "yes"}, body=b"made")
        with serving(answering) as server, guarded_client(5, allow=LOOPBACK) as client:
            reply = call(client, "PUT", f"{server.url}/a?b=c", headers=httpx.Headers({"X-A": "1"}), content=body)
        [seen] = server.seen
        assert (seen.method, seen.path, seen.body, seen.headers["x-a"]) == ("PUT", "/a?b=c", body, "1")
        assert (reply.status, reply.headers["x-answer"], reply.body, reply.is_whole) == (201, "yes", b"made", True)
        assert 0 < reply.seconds < 5

    def test_reaches_ipv6(self) -> None:
        if not socket.has_ipv6:
            pytest.skip("this machine has no IPv6")
        with serving(Server(host="::1")) as server:
            assert get(server.url).status == 200

    def test_reaches_only_what_the_setting_allows(self) -> None:
        with serving(Server()) as server:
            with (
                override_settings(HUB_EGRESS_ALLOW=[]),
                guarded_client(5) as client,
                pytest.raises(EgressRefused) as refusal,
            ):
                call(client, "GET", server.url)
            with override_settings(HUB_EGRESS_ALLOW=[ip_network("127.0.0.1/32")]), guarded_client(5) as client:
                assert call(client, "GET", server.url).status == 200
        assert len(server.seen) == 1
        assert isinstance(refusal.value, GiveUp)

    def test_returns_a_redirect_instead_of_following_it(self) -> None:
        with serving(Server(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})) as server:
            reply = get(server.url)
        assert reply.status == 302
        assert len(server.seen) == 1

    def test_takes_no_proxy_and_no_password_file_from_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with serving(Server()) as server, serving(Server()) as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            get(server.url)
        assert proxy.seen == []
        assert "authorization" not in server.seen[0].headers

    @pytest.mark.parametrize(
        "url",
        [
            *("", "nonsense", "//127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "unix:///var/run/docker.sock"),
            *("http://", "http://:80/", "http://127.0.0.1:99999/", "http://[::1/", "http+unix://x/y"),
        ],
    )
    def test_gives_up_on_an_address_that_is_none(self, url: str) -> None:
        with pytest.raises(CallImpossible):
            get(url)

    def test_gives_up_on_a_header_that_would_break_the_request(self) -> None:
        headers = httpx.Headers({"X-A": "s3cret\r\nX-B: 2"})
        with serving(Server()) as server, pytest.raises(CallImpossible) as failure:
            get(server.url, headers=headers)
        assert server.seen == []
        assert "s3cret" not in str(failure.value)
        assert failure.value.__cause__ is None
        assert failure.value.__suppress_context__


class TestTheDeadline:
    @pytest.mark.parametrize("drip", [b"x", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
    def test_ends_an_answer_that_drips(self, drip: bytes) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            for place in range(100):
                connection.sendall(drip if len(drip) > 1 and b"100" in drip else drip[place % len(drip) :][:1])
                time.sleep(0.05)

        with talking(talk) as url, ends_within(1.5), pytest.raises(CallFailed):
            get(url, seconds=0.4)

    def test_ends_a_server_that_never_answers(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.recv(1)

        with talking(talk) as url, ends_within(1.5), pytest.raises(CallTimedOut, match="waiting for the answer"):
            get(url, seconds=0.3)

    def test_ends_a_server_that_begins_and_falls_silent(self) -> None:
        """The wait after the first byte gets what is left, not the whole time anew."""

        def talk(connection: socket.socket) -> None:
            take_request(connection)
            time.sleep(0.4)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            connection.recv(1)

        with talking(talk) as url, ends_within(0.8), pytest.raises(CallTimedOut):
            get(url, seconds=0.5)

    def test_ends_a_server_that_takes_nothing(self) -> None:
        done = threading.Event()

        def talk(connection: socket.socket) -> None:
            done.wait(5)

        with talking(talk) as url, ends_within(2), guarded_client(0.4, allow=LOOPBACK) as client:
            with pytest.raises(CallTimedOut, match="sending"):
                call(client, "POST", url, content=bytes(20_000_000))
            done.set()

    def test_ends_a_server_that_takes_a_little_at_a_time(self) -> None:
        done = threading.Event()

        def talk(connection: socket.socket) -> None:
            while not done.wait(0.02) and connection.recv(65536):
                pass

        with talking(talk) as url, ends_within(2), guarded_client(0.4, allow=LOOPBACK) as client:
            with pytest.raises(CallTimedOut, match="sending"):
                call(client, "POST", url, content=bytes(50_000_000))
            done.set()

    def test_ends_a_handshake_that_hangs(self) -> None:
        done = threading.Event()

        with talking(lambda connection: done.wait(5) and None) as url, ends_within(1.5):
            with pytest.raises(CallTimedOut, match="connecting"):
                get(url.replace("http:", "https:"), seconds=0.4)
            done.set()

    def test_keeps_what_came_of_a_body_that_drips(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)

        with talking(talk) as url, ends_within(1.5):
            reply = get(url, seconds=0.4)
        assert reply.status == 200
        assert 0 < len(reply.body) < 20
        assert not reply.is_whole


class TestAnAnswer:
    def test_is_read_up_to_the_limit_if_it_is_endless(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

        with talking(talk) as url, ends_within(3):
            reply = get(url, kept_body_bytes=10_000)
        assert reply.body == b"x" * 10_000
        assert not reply.is_whole

    def test_is_whole_at_exactly_the_limit(self) -> None:
        with serving(Server(body=b"x" * 1000)) as server:
            reply = get(server.url, kept_body_bytes=1000)
        assert (len(reply.body), reply.is_whole) == (1000, True)

    def test_is_not_unpacked(self) -> None:
        bomb = b"\x1f\x8b" + bytes(100)
        with serving(Server(headers={"Content-Encoding": "gzip"}, body=bomb)) as server:
            assert get(server.url).body == bomb

    def test_is_a_failure_if_its_headers_are_endless(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-A: " + b"x" * 4096 + b"\r\n")

        with talking(talk) as url, ends_within(3), pytest.raises(CallFailed, match="does not speak HTTP"):
            get(url)

    @pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 banana\r\n\r\n", b"\x00\xff" * 50])
    def test_is_a_failure_if_it_is_no_http(self, said: bytes) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(said)

        with talking(talk) as url, pytest.raises(CallFailed):
            get(url)

    def test_is_a_failure_if_the_connection_is_reset(self) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with talking(talk) as url, pytest.raises(CallFailed):
            get(url)

    def test_is_read_although_the_server_does_not_want_the_whole_body(self) -> None:
        def talk(connection: socket.socket) -> None:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

        with talking(talk) as url, guarded_client(5, allow=LOOPBACK) as client:
            assert call(client, "POST", url, content=bytes(5_000_000)).status == 413


class TestAFailure:
    def test_says_that_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(CallFailed, match=rf"http://127\.0\.0\.1:{port} cannot be reached: .*refused"):
            get(f"http://127.0.0.1:{port}/")

    def test_says_that_a_name_does_not_resolve(self) -> None:
        with pytest.raises(CallFailed, match="does not resolve"):
            get("http://no-such-name.invalid/")

    def test_can_be_caught_as_httpx_has_it(self) -> None:
        with pytest.raises(httpx.TransportError):
            get("http://no-such-name.invalid/")

    def test_names_neither_user_nor_path_nor_query(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(CallFailed) as failure:
            get(f"http://user:passw0rd@127.0.0.1:{port}/services/T00/k3y?token=t0ken")
        error: BaseException | None = failure.value
        while error is not None:
            for secret in ("user", "passw0rd", "k3y", "t0ken"):
                assert secret not in str(error)
            error = error.__cause__ or error.__context__


class TestTls:
    def test_is_proven_by_name_while_the_connection_goes_to_the_address(self, tmp_path: Path) -> None:
        server_context, client_context = make_certificate(tmp_path, names=["hub.example"])
        with (
            serving(Server(), tls=server_context) as server,
            guarded_client(
                5,
                allow=LOOPBACK,
                ssl_context=client_context,
                resolve=lambda host, port, timeout: [ip_address("127.0.0.1")],
            ) as client,
        ):
            assert call(client, "GET", f"https://hub.example:{server.port}/").status == 200
            with pytest.raises(CallFailed, match=r"(?i)hostname mismatch"):
                call(client, "GET", f"https://other.example:{server.port}/")
        assert [seen.headers["host"] for seen in server.seen] == [f"hub.example:{server.port}"]

    def test_refuses_a_certificate_that_nobody_vouches_for(self, tmp_path: Path) -> None:
        server_context, _ = make_certificate(tmp_path, names=["127.0.0.1"])
        with serving(Server(), tls=server_context) as server, pytest.raises(CallFailed, match=r"(?i)self-signed"):
            get(server.url)
        assert server.seen == []

    def test_refuses_an_expired_certificate(self, tmp_path: Path) -> None:
        server_context, client_context = make_certificate(tmp_path, names=["127.0.0.1"], expired=True)
        with (
            serving(Server(), tls=server_context) as server,
            guarded_client(5, allow=LOOPBACK, ssl_context=client_context) as client,
            pytest.raises(CallFailed, match="expired"),
        ):
            call(client, "GET", server.url)

    def test_is_a_failure_with_a_server_that_has_none(self) -> None:
        with serving(Server()) as server, pytest.raises(CallFailed):
            get(server.url.replace("http:", "https:"))
