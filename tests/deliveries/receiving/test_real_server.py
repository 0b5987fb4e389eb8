"""What only a real server and a real socket show: chunks without end, slow bodies, header bombs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.deliveries.receiving.cases import SECRET, signature
from tests.running_hub import RunningHub, running_hub, web_server

pytestmark = [pytest.mark.journey, pytest.mark.any_database]

LIMIT = 100_000
THREADS = 16
MEGABYTE = b"x" * 1024 * 1024


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """The web server alone, with its own settings, on a database that the test can ask."""
    with running_hub(
        tmp_path_factory.mktemp("web"), HUB_BODY_SECONDS="2", HUB_WEB_WORKERS="1", HUB_WEB_THREADS=str(THREADS)
    ) as hub:
        hub.python(
            "from tests.deliveries.receiving.cases import signed_endpoint\n"
            f"signed_endpoint(slug='here', max_body_bytes={LIMIT})"
        )
        with web_server(hub, answers=lambda: _answers(hub)):
            yield hub


def _answers(hub: RunningHub) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", hub.port), timeout=1):
        return True
    return False


class Connection:
    """A socket to the server; what it sends is up to the test."""

    def __init__(self, hub: RunningHub) -> None:
        self.socket = socket.create_connection(("127.0.0.1", hub.port), timeout=20)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def head(self, *headers: str) -> None:
        lines = ["POST /hooks/here HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def chunk(self, data: bytes) -> None:
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def status(self) -> int:
        """Return the answer's status; 0 if the server closed the connection without one."""
        answer = b""
        with suppress(OSError):
            while b"\r\n\r\n" not in answer and (part := self.socket.recv(65536)):
                answer += part
        return int(answer.split()[1]) if answer else 0


def rows(hub: RunningHub, model: str = "Event") -> int:
    return int(hub.python(f"from deliveries.models import {model}; print({model}.objects.count())"))


def still_works(hub: RunningHub, number: int) -> None:
    """Send a good event in two chunks on a new connection."""
    body = b"[%d]" % number
    with Connection(hub) as good:
        good.head(f"X-Signature: {signature(body, SECRET)}", "Transfer-Encoding: chunked")
        good.chunk(body[:1])
        good.chunk(body[1:])
        good.socket.sendall(b"0\r\n\r\n")
        assert good.status() == 200


class TestAStranger:
    def test_that_announces_too_much_is_refused_before_it_sends(self, web: RunningHub) -> None:
        with Connection(web) as stranger:
            stranger.head(f"Content-Length: {100 * 1024 * 1024}")

            assert stranger.status() == 413
        still_works(web, 1)

    def test_that_sends_chunks_without_end_is_cut_off_at_the_limit(self, web: RunningHub) -> None:
        sent = 0
        with Connection(web) as stranger:
            stranger.head("Transfer-Encoding: chunked")
            with suppress(OSError):
                for _ in range(200):
                    stranger.chunk(MEGABYTE)
                    sent += 1
            assert stranger.status() in {413, 0}  # 0: the reset overtook the answer
        assert sent < 100
        still_works(web, 2)

    def test_that_sends_too_much_in_chunks_and_listens_gets_the_answer(self, web: RunningHub) -> None:
        with Connection(web) as stranger:
            stranger.head("Transfer-Encoding: chunked")
            stranger.chunk(b"x" * (LIMIT + 1))

            assert stranger.status() == 413

    def test_that_sends_a_byte_in_a_while_is_cut_off_when_the_time_is_over(self, web: RunningHub) -> None:
        began = time.monotonic()
        with Connection(web) as stranger:
            stranger.head("Content-Length: 1000")
            stranger.socket.settimeout(0.3)
            answer = b""
            while not answer and time.monotonic() - began < 15:
                with suppress(TimeoutError):
                    stranger.socket.sendall(b"x")
                    answer = stranger.socket.recv(100)

        assert b" 400 " in answer
        assert 2 <= time.monotonic() - began < 6

    def test_that_sends_nothing_after_its_head_is_cut_off_too(self, web: RunningHub) -> None:
        began = time.monotonic()
        with Connection(web) as stranger:
            stranger.head("Content-Length: 1000")

            assert stranger.status() == 400
        assert time.monotonic() - began < 6

    @pytest.mark.parametrize(
        "beginning",
        [
            "POST /hooks/here HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
            "POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: csrftoken=" + "c" * 32 + "\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000\r\n\r\n",
        ],
        ids=["head", "login"],
    )
    def test_that_drips_its_head_or_any_body_keeps_no_thread(self, web: RunningHub, beginning: str) -> None:
        strangers = [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(THREADS)]
        for stranger in strangers:
            stranger.sendall(beginning.encode())
        until = time.monotonic() + 12
        while strangers and time.monotonic() < until:
            for stranger in list(strangers):
                try:
                    stranger.sendall(b"x")
                except OSError:
                    stranger.close()
                    strangers.remove(stranger)
            time.sleep(0.2)

        assert not strangers
        still_works(web, 4)

    def test_whose_request_line_is_refused_finds_nothing_of_it_in_the_log(self, web: RunningHub) -> None:
        with Connection(web) as stranger:
            stranger.socket.sendall(b"POST /hooks/here?token=planted-secret-\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

            assert stranger.status() == 400
        assert "planted-secret" not in Path(web.output).read_text()

    @pytest.mark.parametrize(
        ("address", "content_type", "status"),
        [
            ("POST /hooks/here?a=%41", "application/json; charset=hex", 401),
            ("POST /hooks/here?a=%41", "application/json; x*=hex''%41", 401),
            ("POST /hooks/here?" + "a&" * 1500, "application/json; charset=utf-8", 401),
            ("GET /health/live?a=%41", "text/plain; charset=hex", 200),
            ("POST /nowhere?a=%41", "application/x-www-form-urlencoded; charset=utf-16", 404),
        ],
    )
    def test_whose_charset_is_none_is_answered_all_the_same(
        self, web: RunningHub, address: str, content_type: str, status: int
    ) -> None:
        with Connection(web) as stranger:
            head = [f"{address} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {content_type}", "Content-Length: 3"]
            stranger.socket.sendall("\r\n".join([*head, f"Cookie: csrftoken={'c' * 32}", "", "a=1"]).encode())

            assert stranger.status() == status

    def test_that_goes_away_leaves_nothing_behind(self, web: RunningHub) -> None:
        before = rows(web), rows(web, "Rejection")
        for transfer in ("Content-Length: 1000", "Transfer-Encoding: chunked"):
            with Connection(web) as stranger:
                stranger.head(transfer)
                stranger.socket.sendall(b"5\r\n12")
        time.sleep(0.5)

        assert (rows(web), rows(web, "Rejection")) == before

    @pytest.mark.parametrize(
        "chunks", [b"xyz\r\n", b"-5\r\nhello\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"f" * 20_000, b"0\r\n:\r\n\r\n"]
    )
    def test_whose_chunks_are_none_is_refused(self, web: RunningHub, chunks: bytes) -> None:
        with Connection(web) as stranger:
            stranger.head("Transfer-Encoding: chunked")
            stranger.socket.sendall(chunks)

            assert stranger.status() == 400

    @pytest.mark.parametrize(
        "headers",
        [
            ["X-Large: " + "x" * 100_000],
            [f"X-Many-{number}: x" for number in range(5000)],
            ["X-Nul: \x00"],
            ["no colon"],
            ["Content-Length: 5", "Content-Length: 6"],
            ["Content-Length: 5", "Transfer-Encoding: chunked"],
            ["Content-Length: -5"],
            ["Content-Length: " + "9" * 5000],
            ["Transfer-Encoding: gzip, chunked"],
        ],
        ids=lambda headers: headers[0][:25],
    )
    def test_whose_head_is_a_bomb_is_refused(self, web: RunningHub, headers: list[str]) -> None:
        with Connection(web) as stranger:
            with suppress(OSError):
                stranger.head(*headers)
            assert stranger.status() in {0, 400, 413, 431, 501}
        still_works(web, 3)

    def test_leaves_no_trace_of_a_stack_in_the_log(self, web: RunningHub) -> None:
        log = Path(web.output).read_text()

        assert "Traceback" not in log
        assert "[error" not in log
