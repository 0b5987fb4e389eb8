"""FastAPI with Celery and Redis under the same load: started from scratch, measured, and ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.others import CELERY_PYTHON
from bench.receive import costs, load
from bench.receive.cases import KILOBYTE
from tests.running_hub import ROOT, free_port, wait_until

#: When Redis writes to the disk: before each answer, as the hub's databases do, or once a second, as it comes.
FSYNCS = ("always", "everysec")
#: What it is compared at.
CONNECTIONS = 32
_PROCESSES = 2
_SETTLE_SECONDS = 180


def is_there() -> bool:
    """Return whether redis-server and the environment for Celery are there."""
    return shutil.which("redis-server") is not None and CELERY_PYTHON.exists()


def measure(folder: Path, *, fsync: str, seconds: float, most: int) -> dict[str, Any]:
    """Return the figures with Redis at ``fsync``, by the names that the hub's have; ends the program if one is lost."""
    requests = folder / f"rival-{fsync}.requests"
    load.prepare(requests, slug="rival", count=int(seconds * most), size=KILOBYTE)
    with ExitStack() as stack:
        redis_port, port = free_port(), free_port()
        stack.enter_context(_redis(folder, redis_port, fsync))
        environment = {
            **os.environ,
            "BENCH_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "BENCH_SECRET": load.SECRET,
            "C_FORCE_ROOT": "1",
        }
        web = ["uvicorn", "bench.receive.rival_app:app", "--workers", str(_PROCESSES), "--port", str(port)]
        worker = ["celery", "-A", "bench.receive.rival_app:celery", "worker", "-P", "prefork", "-c", str(_PROCESSES)]
        programs = [
            stack.enter_context(_program([*web, "--no-access-log", "--log-level", "error"], environment)),
            stack.enter_context(
                _program([*worker, "--loglevel", "ERROR", "--without-gossip", "--without-mingle"], environment)
            ),
        ]
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), what="the rival's web server")
        books = _Books(redis_port)
        wait_until(lambda: books("PUBSUB", "NUMPAT") >= 0, what="Redis")
        time.sleep(5)  # Celery's processes say nowhere that they are ready
        processes = [process for program in programs for process in costs.tree(program.pid)]
        cpu = costs.cpu_seconds(processes)
        said = load.send(url, requests, connections=CONNECTIONS, seconds=seconds)
        ended = time.time()
        pss = costs.pss_mb(processes)
        wait_until(
            lambda: not books("LLEN", "celery") and not books("HLEN", "unacked"),
            seconds=_SETTLE_SECONDS,
            what="the end of all tasks",
        )
        settled = max(0.0, time.time() - ended)
        spent = costs.cpu_seconds(processes) - cpu
        kept = books("DBSIZE")
    requests.unlink()
    _check(said, kept)
    return {
        "answers": said.accepted,
        "per_second": said.per_second,
        "p50_ms": said.p50_ms,
        "p99_ms": said.p99_ms,
        "cpu_us": 1e6 * spent / said.accepted,
        "pss_mb": pss,
        "settled_s": settled,
    }


def _check(said: load.Load, kept: int) -> None:
    """Two keys are kept of each event: what it is and that it is done; beside them a few of Celery's own."""
    if said.refused or not 0 <= kept // 2 - said.accepted <= CONNECTIONS + 5:
        raise SystemExit(f"rival: {said.accepted} accepted, {said.refused} refused, {kept} keys kept")


class _Books:
    """Asks Redis for a number, in its own protocol: no client of it is among the hub's libraries."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(self, *words: str) -> int:
        """Return the answer to a command that is answered with a number."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)]
            connection.sendall(b"".join(parts))
            answer = connection.recv(100)
        return int(answer.removeprefix(b":"))


@contextmanager
def _redis(folder: Path, port: int, fsync: str) -> Iterator[None]:
    place = folder / f"redis-{fsync}"
    place.mkdir()
    log = ["--appendonly", "yes", "--appendfsync", fsync, "--save", ""]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(place), *log]
    with _process(command, {**os.environ}):
        yield


@contextmanager
def _program(command: list[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
    with _process([str(CELERY_PYTHON), "-m", *command], environment) as process:
        yield process


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
    started = psutil.Popen(  # what is installed, with our own arguments
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield started
    finally:
        processes = costs.tree(started.pid) if started.is_running() else []
        started.terminate()
        _, left = psutil.wait_procs(processes, timeout=15)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.post(f"{url}/hooks/rival", content=b"{}", timeout=5).status_code == 401
    return False
