"""Limits and guards of a web server with several processes: real ones, asked over real sockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.deliveries.receiving.cases import SECRET, signature
from tests.running_hub import RunningHub, running_hub, wait_until, web_server

pytestmark = [pytest.mark.journey, pytest.mark.any_database]

PROCESSES = 2
#: One request, and the next in more than an hour: how long a test takes makes no difference.
RATE = 0.0002
#: A file system that never has anything free.
FULL = Path("/proc") if Path("/proc/self").exists() else Path("/dev")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a link to where the hub looks for the room on its disk."""
    folder = tmp_path_factory.mktemp("disk")
    link = folder / "database"
    link.symlink_to(folder)
    return link


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, disk: Path) -> Iterator[RunningHub]:
    settings = {"HUB_WEB_WORKERS": str(PROCESSES), "HUB_DATABASE_DIR": str(disk), "HUB_DISK_FREE_MB": "1"}
    with running_hub(tmp_path_factory.mktemp("web"), **settings) as hub:
        hub.python(
            "from tests.deliveries.receiving.cases import signed_endpoint\n"
            f"signed_endpoint(slug='endpoint', rate_per_second={RATE})\n"
            f"signed_endpoint(slug='source', source_rate_per_second={RATE})\n"
            "signed_endpoint(slug='free')"
        )
        with web_server(hub, answers=lambda: answers(hub)):
            yield hub


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Yield a client that connects anew each time, so that any process may answer."""
    with httpx.Client(timeout=10, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        yield client


def answers(hub: RunningHub) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{hub.url}/health/live", timeout=2, verify=False).status_code == 200
    return False


def send(client: httpx.Client, hub: RunningHub, slug: str, number: int) -> httpx.Response:
    body = b"[%d]" % number
    headers = {"X-Signature": signature(body, SECRET), "Content-Type": "application/json"}
    return client.post(f"{hub.url}/hooks/{slug}", content=body, headers=headers)


def web_processes() -> list[psutil.Process]:
    """Return the processes that answer: the children of the server's first, which is a child of this one."""
    first = [child for child in psutil.Process().children() if "hub.wsgi" in " ".join(child.cmdline())]
    return [process for server in first for process in server.children()]


class TestALimit:
    def test_is_shared_by_all_processes_and_by_those_that_replace_them(
        self, web: RunningHub, client: httpx.Client
    ) -> None:
        with ThreadPoolExecutor(12) as pool:
            for slug in ("endpoint", "source"):
                sent = pool.map(lambda number, slug=slug: send(client, web, slug, number), range(24))
                assert Counter(answer.status_code for answer in sent) == {200: 1, 429: 23}, slug

        before = web_processes()
        assert len(before) == PROCESSES
        for process in before:
            process.kill()
        wait_until(
            lambda: len(web_processes()) == PROCESSES and not {*web_processes()} & {*before} and answers(web),
            what="new processes",
        )

        for slug in ("endpoint", "source"):
            assert {send(client, web, slug, 100 + number).status_code for number in range(6)} == {429}, slug
        stored = web.python("from deliveries.models import Event; print(Event.objects.count())")
        assert stored == "2"


class TestAFullDisk:
    def test_is_answered_for_by_every_process_until_there_is_room(
        self, web: RunningHub, client: httpx.Client, disk: Path
    ) -> None:
        folder = disk.resolve()
        disk.unlink()
        disk.symlink_to(FULL)
        wait_until(lambda: {send(client, web, "free", n).status_code for n in range(6)} == {503}, what="the guard")
        answer = send(client, web, "free", 9)
        ready = client.get(f"{web.url}/health/ready")

        assert (answer.status_code, answer.json()) == (503, {"error": "unavailable"})
        assert answer.headers["Retry-After"] == "300"
        assert "database's disk" in ready.json()["reason"]
        assert "Service Unavailable: /hooks" not in Path(web.output).read_text()

        disk.unlink()
        disk.symlink_to(folder)
        wait_until(lambda: {send(client, web, "free", n).status_code for n in range(6)} == {200}, what="the end of it")
