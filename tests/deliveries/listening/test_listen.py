"""``manage.py listen`` against a real hub on loopback, from a laptop without a database."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliveries.listening.cursor import kept
from tests.deliveries.listening.laptops import Laptop, Remote, remote_hub, signature
from tests.integrations.connectors.servers import Seen, Server, serving
from tests.running_hub import ROOT, free_port, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.any_database]


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with remote_hub(tmp_path_factory.mktemp("remote")) as remote:
        yield remote


@pytest.fixture
def program() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


@pytest.fixture
def laptop(remote: Remote, program: Server, tmp_path: Path) -> Laptop:
    """A laptop that has begun to listen: what came before is of no interest."""
    laptop = Laptop(remote, tmp_path, f"{program.url}/hook")
    assert laptop.once() == []
    return laptop


def numbers(seen: list[Seen]) -> list[str]:
    return [request.headers["x-github-delivery"] for request in seen]


class TestAListener:
    def test_delivers_a_request_as_it_came(self, remote: Remote, laptop: Laptop, program: Server) -> None:
        body = b'{"n":  1,\n "text": "\xc3\xa9"}'
        event = remote.send(1, body=body)["event"]

        (row,) = laptop.once()

        (seen,) = program.seen
        assert (seen.method, seen.path, seen.body) == ("POST", "/hook?n=1", body)
        assert seen.headers["x-hub-signature-256"] == signature(body)
        assert seen.headers["user-agent"] == "GitHub-Hookshot/044aadd"
        assert seen.headers["host"] == f"127.0.0.1:{program.port}"
        sent = {"content-type", "x-github-event", "x-github-delivery", "x-hub-signature-256", "user-agent"}
        assert set(seen.headers) - sent <= {"host", "content-length", "accept", "accept-encoding"}
        assert (row["event"], row["event_type"], row["event_id"]) == (event, "push", "d-1")
        assert (row["delivered"], row["answer"], row["credentials"]) == (True, "200 OK", True)

    def test_delivers_each_event_once_and_in_order(self, remote: Remote, laptop: Laptop, program: Server) -> None:
        for number in range(10, 35):  # more than a page
            remote.send(number)

        assert len(laptop.once()) == 25
        assert laptop.once() == []
        remote.send(35)
        laptop.once()

        assert numbers(program.seen) == [f"d-{number}" for number in range(10, 36)]

    def test_begins_with_what_comes_from_then_on_or_earlier_if_asked(
        self, remote: Remote, program: Server, tmp_path: Path
    ) -> None:
        remote.send(40)
        fresh, earlier = (Laptop(remote, tmp_path / name, program.url) for name in ("fresh", "earlier"))

        assert fresh.once() == []
        assert "d-40" in [row["event_id"] for row in earlier.once("--since", "1h")]
        assert earlier.once("--since", "1h") == []

    def test_delivers_a_batch_once_and_whole(self, remote: Remote, program: Server, tmp_path: Path) -> None:
        laptop = Laptop(remote, tmp_path, program.url, endpoint="wa")
        assert laptop.once() == []
        entries = [{"id": str(number), "time": number, "changes": [{"field": "messages"}]} for number in (1, 2, 3)]
        body = json.dumps({"object": "whatsapp_business_account", "entry": entries}, indent=1).encode()
        assert remote.send(45, body=body, slug="wa")["events"] == 3

        assert len(laptop.once()) == 1
        assert laptop.once() == []

        (seen,) = program.seen
        assert (seen.body, seen.headers["x-hub-signature-256"]) == (body, signature(body))

    def test_finds_an_event_that_was_committed_late(self, remote: Remote, laptop: Laptop, program: Server) -> None:
        remote.send(50)
        laptop.once()
        remote.hub.python(
            "import uuid\n"
            "from datetime import timedelta\n"
            "from deliveries.models import Event\n"
            "from integrations.models import Endpoint\n"
            "from tests.factories import make_event\n"
            "newest = Event.objects.filter(endpoint__slug='gh').latest('id')\n"
            "earlier = uuid.UUID(int=newest.pk.int - (20_000 << 80))\n"
            "make_event(Endpoint.objects.get(slug='gh'), id=earlier, event_id='late', dedupe_key='late',\n"
            "           headers={'X-GitHub-Delivery': 'late'})\n"
        )

        laptop.once()

        assert numbers(program.seen) == ["d-50", "late"]

    def test_keeps_the_event_while_nothing_listens(self, remote: Remote, laptop: Laptop) -> None:
        laptop.to = f"http://127.0.0.1:{free_port()}/"
        assert laptop.once() == []
        remote.send(60)

        assert "nothing listens at" in laptop.listen("--once").failure
        with serving(Server(port=int(laptop.to.rstrip("/").rpartition(":")[2]), status=500)) as program:
            (row,) = laptop.once()
            assert numbers(program.seen) == ["d-60"]
        assert (row["delivered"], row["answer"]) == (False, "500 Internal Server Error")
        assert laptop.listen("--once").out == "delivered 0 events\n"  # it was answered

    def test_sends_the_last_once_more(self, remote: Remote, laptop: Laptop, program: Server) -> None:
        assert "nothing was delivered yet" in laptop.listen("--resend-last").failure
        remote.send(70)
        laptop.once()

        done = laptop.listen("--resend-last")

        assert done.failure == ""
        assert numbers(program.seen) == ["d-70", "d-70"]
        assert program.seen[0].body == program.seen[1].body
        assert "d-70" in done.out
        assert "200 OK (again)" in done.out

    def test_leaves_out_credentials_that_its_token_may_not_read(
        self, remote: Remote, laptop: Laptop, program: Server
    ) -> None:
        laptop.role = "viewer"
        remote.send(80)

        (row,) = laptop.once()

        (seen,) = program.seen
        assert "x-hub-signature-256" not in seen.headers
        assert (seen.headers["x-github-event"], seen.body) == ("push", b'{"n":  80, "text": "\xc3\xa9"}')
        assert row["credentials"] is False

    def test_goes_on_by_itself_until_ctrl_c(self, remote: Remote, laptop: Laptop) -> None:
        held = socket.socket()  # nobody listens there, and no other program can take it meanwhile
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        laptop.to = f"http://127.0.0.1:{port}"
        command = laptop.command("--interval", "0.1")
        before = laptop.cursor()
        process = subprocess.Popen(
            command, cwd=ROOT, env=laptop.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert "gh at " in process.stderr.readline()
            wait_until(lambda: laptop.cursor() != before, what="the first look")
            remote.send(90)
            assert "nothing listens at" in process.stderr.readline()
            with serving(Server(port=port)) as program:
                wait_until(lambda: program.seen, what="the delivery")
                event = remote.send(91)["event"]
                wait_until(lambda: f'"last": "{event}"' in laptop.cursor(), what="the second delivery")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
            held.close()

        assert process.returncode == 0, err
        head, *rows = out.splitlines()
        assert head.split() == ["RECEIVED", "TYPE", "EVENT", "ID", "MS", "ANSWER"]
        assert [("d-90" in row, "d-91" in row, row.endswith("200 OK")) for row in rows] == [
            (True, False, True),
            (False, True, True),
        ]
        assert "Traceback" not in err

    def test_takes_keys_on_a_terminal(self, remote: Remote, laptop: Laptop, program: Server) -> None:
        remote.send(100)
        laptop.once()
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            laptop.command("--interval", "0.2"),
            cwd=ROOT,
            env=laptop.environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        try:
            _read_until(ours, b"q ends")
            os.write(ours, b"r")
            _read_until(ours, b"(again)")
            os.write(ours, b"q")
            assert process.wait(20) == 0
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)

        assert numbers(program.seen) == ["d-100", "d-100"]

    def test_shares_its_cursor_with_no_other(self, remote: Remote, laptop: Laptop) -> None:
        path = laptop.folder / "cursor.json"

        with kept(path):
            assert "another listener does the same" in laptop.listen("--once", "--cursor", str(path)).failure
        assert laptop.listen("--once", "--cursor", str(path)).failure == ""


class TestAListenerOfTheLocalHub:
    def test_hands_over_what_is_verified_there(self, remote: Remote, laptop: Laptop) -> None:
        remote.send(110)
        token = laptop.folder / "token"
        token.write_text(remote.tokens["administrator"] + "\n")
        laptop.to = "endpoint:copy"

        # This laptop has a hub of its own: for the test it is the same one, at another endpoint.
        options = laptop.arguments("--once", "--since", "1h", "--token-file", str(token), "--json")
        done = remote.hub.manage("listen", *options)

        assert '"event_id": "d-110"' in done.stdout
        found = remote.hub.python(
            "from deliveries.models import Event\n"
            "event = Event.objects.get(endpoint__slug='copy', event_id='d-110')\n"
            "print(event.verdict, event.body.decode(), event.deliveries.count())"
        )
        assert found == 'reverified {"n":  110, "text": "é"} 1'


class TestTheCommand:
    def test_needs_a_token_that_is_not_on_the_command_line(self, laptop: Laptop) -> None:
        assert "set HUB_LISTEN_TOKEN, or give --token-file" in laptop.listen("--once", token="").failure
        assert laptop.listen("--token", "abc").failure == "--token-file cannot be read: No such file or directory"

    def test_says_what_the_hub_refuses(self, laptop: Laptop) -> None:
        failure = laptop.listen("--once", token="x" * 40).failure

        assert failure == f"{laptop.remote.hub.url} answers 401: Invalid token."

    def test_knows_a_wrong_endpoint(self, laptop: Laptop) -> None:
        assert "answers 404" in laptop.listen("--once", "--endpoint", "nope").failure

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--from", "http://hub.example.com"), "the token could be read on the way"),
            (("--from", "hub.example.com"), "--from has to be the address of a hub"),
            (("--to", "localhost:3000"), "--to has to be an http:// or https:// address"),
            (("--since", "yesterday"), "--since has to be a duration"),
            (("--token-file", "/missing"), "--token-file cannot be read"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, laptop: Laptop, options: tuple[str, str], said: str) -> None:
        assert said in laptop.listen("--once", *options).failure


def _read_until(descriptor: int, text: bytes) -> bytes:
    found = b""

    def has_come() -> bool:
        nonlocal found
        if select.select([descriptor], [], [], 0.1)[0]:
            found += os.read(descriptor, 4096)
        return text in found

    wait_until(has_come, what=f"{text!r} on the terminal")
    return found
