"""The hub behind PgBouncer in transaction mode, and how many connections it uses with and without it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.chaos.rounds import QUICK, Chaos, chaos
from tests.own_postgres import OwnPostgres, Rows, own_postgres
from tests.running_hub import free_port, wait_until

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="PgBouncer is for PostgreSQL"),
]

POOL = 8
CONNECTIONS = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = 'chaos' AND pid <> pg_backend_pid()"
CONFIG = """
[databases]
chaos = host={folder} port=5432 dbname=chaos user=postgres
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {own}
auth_type = any
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 500
logfile = {own}/log
pidfile = {own}/pid
"""


@contextmanager
def pgbouncer(server: OwnPostgres) -> Iterator[str]:
    """Run PgBouncer in front of ``server`` and yield the hub's ``DATABASE_URL`` through it."""
    assert PGBOUNCER is not None
    own = Path(server.socket_folder) / "bouncer"
    own.mkdir()
    port = free_port()
    config = own / "config.ini"
    config.write_text(CONFIG.format(folder=server.socket_folder, own=own, port=port, pool=POOL))
    user: list[str] = []
    if os.geteuid() == 0:  # which it refuses to run as
        os.chown(own, pwd.getpwnam("pgserver").pw_uid, -1)
        user = ["-u", "pgserver"]
    process = subprocess.Popen([PGBOUNCER, "-q", *user, str(config)], stderr=subprocess.DEVNULL)
    url = f"postgres://postgres@/chaos?host={quote(str(own))}&port={port}"
    try:
        wait_until(lambda: _answers(url), what="PgBouncer")
        yield f"{url}&DISABLE_SERVER_SIDE_CURSORS=true"
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def most_connections(rows: Rows, *, seconds: float) -> int:
    """Return the most connections to the hub's database that were seen within ``seconds``."""
    until, most = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        most = max(most, rows(CONNECTIONS)[0][0])
        time.sleep(0.05)
    return most


@pytest.mark.skipif(PGBOUNCER is None and not os.environ.get("CI"), reason="pgbouncer is not installed")
def test_the_hub_works_through_pgbouncer_in_transaction_mode(tmp_path: Path) -> None:
    with own_postgres() as server:
        direct = Rows(server.create("chaos"))
        with (
            pgbouncer(server) as url,
            chaos(tmp_path, database="postgres", seed=8, settings=QUICK, database_url=url) as run,
        ):
            report = run.during(lambda: busy(run, direct, most=POOL))

    assert report.faults == []
    assert report.acknowledged > 10


def test_the_hub_uses_no_more_connections_than_documented(tmp_path: Path) -> None:
    processes, threads, web_threads = 2, 3, 4
    settings = {
        **QUICK,
        "HUB_WORKER_THREADS": str(threads),
        "HUB_WEB_WORKERS": "1",
        "HUB_WEB_THREADS": str(web_threads),
    }
    with chaos(tmp_path, database="postgres", seed=9, settings=settings) as run:
        # docs/how-to/deploy.md, "Connections": handlers and the drain of each worker, the pusher, the web's threads.
        bound = processes * (threads + 1) + 1 + web_threads
        report = run.during(lambda: busy(run, run.rows, most=bound))

    assert report.faults == []


def busy(run: Chaos, rows: Rows, *, most: int) -> None:
    seen = most_connections(rows, seconds=6)
    assert 1 <= seen <= most, f"{seen} connections"
    run.wait_until_it_works("busy", seconds=15, what="the work of the hub")
