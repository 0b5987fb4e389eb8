"""What this machine can do at best: one insert of the same bytes per commit, and a server that only says hello."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.receive.load import body_of
from tests.own_postgres import OwnPostgres
from tests.running_hub import ROOT, RunningHub, wait_until

_SCRIPT = "INSERT INTO bench_limit (body) VALUES (:body);\n"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS bench_limit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)"
)


@dataclass(frozen=True)
class Commits:
    """Commits a second, and how long one takes."""

    per_second: float
    ms: float


def postgres_commits(server: OwnPostgres, folder: Path, *, clients: int, size: int, seconds: float) -> Commits:
    """Return what pgbench reaches with prepared inserts of ``size`` bytes, each committed to the disk."""
    script = folder / "insert.sql"
    script.write_text(_SCRIPT)
    tools = Path(psutil.Process(server.pid).exe()).parent  # of the server's own version
    address = ["-h", server.socket_folder, "-U", "postgres"]
    run = [str(tools / "psql"), *address, "-q", "-c", "SET client_min_messages = warning", "-c", _TABLE, "postgres"]
    subprocess.run(run, check=True, capture_output=True, timeout=30)  # noqa: S603 - the wheel's own
    command = [str(tools / "pgbench"), *address, "-n", "-M", "prepared", "-c", str(clients), "-j", "1"]
    command += ["-T", str(round(seconds)), "-D", f"body={body_of(1, size).decode()}", "-f", str(script), "postgres"]
    environment = {"PGOPTIONS": "-c synchronous_commit=on"}
    done = subprocess.run(  # noqa: S603 - the wheel's own
        command, check=True, capture_output=True, text=True, env=environment, timeout=seconds + 30
    )
    return Commits(_number(r"tps = ([\d.]+)", done.stdout), _number(r"latency average = ([\d.]+)", done.stdout))


def sqlite_commits(folder: Path, *, size: int, seconds: float) -> Commits:
    """Return what one process reaches, with the settings that the hub has for SQLite."""
    body, count = body_of(1, size), 0
    with closing(sqlite3.connect(folder / "limit.sqlite3", isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS bench_limit (body BLOB)")
        begun = time.perf_counter()
        while (taken := time.perf_counter() - begun) < seconds:
            connection.execute("INSERT INTO bench_limit (body) VALUES (?)", [body])
            count += 1
    return Commits(count / taken, 1000 * taken / count)


@contextmanager
def hello_server(hub: RunningHub) -> Iterator[str]:
    """Yield the address of a bare application in the hub's web server, with the hub's own settings for it."""
    with hub.output.open("ab") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "python:hub.gunicorn", "bench.receive.hello"],
            cwd=ROOT,
            env=hub.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(hub.url, timeout=5).text == "hello"
        return False

    try:
        wait_until(answers, what="the bare server")
        yield hub.url
    finally:
        server.terminate()
        server.wait(20)


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"pgbench says something else than usual:\n{text}")
    return float(found[1])
