"""The hub beside a PostgreSQL that streams to a replica: how far that is behind, and that it is read only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.own_postgres import own_postgres
from tests.running_hub import RunningHub, wait_until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="SQLite does not stream"),
]

BEHIND = "from deliveries import replica; print(replica.seconds_behind())"
IN_WORDS = "from deliveries import replica; print(replica.in_words())"
WRITE = """
from django.db import InternalError, connections
try:
    connections["replica"].cursor().execute("CREATE TABLE made (id int)")
except InternalError as exc:
    print(exc)
"""


def test_a_replica_says_how_far_it_is_behind(tmp_path: Path) -> None:
    with own_postgres() as server, tempfile.TemporaryDirectory(prefix="hub-pg-", ignore_cleanup_errors=True) as folder:
        standby = server.standby(folder)
        hub = RunningHub(server.url(), tmp_path, HUB_READ_DATABASE_URL=standby.url())
        try:
            wait_until(lambda: hub.python(BEHIND) == "0.0", what="the replica's catching up")
            assert hub.python(IN_WORDS) == "From the replica, which has all it was sent"
            assert "read-only" in hub.python(WRITE)

            with (
                psycopg.connect(server.url(), autocommit=True) as here,
                psycopg.connect(standby.url(), autocommit=True) as there,
            ):
                here.execute("CREATE TABLE seen (id int)")  # until there is one it knows no time of a change
                wait_until(lambda: there.execute("SELECT to_regclass('seen')").fetchone() != (None,), what="a change")
                there.execute("SELECT pg_wal_replay_pause()")
                here.execute("CREATE TABLE unseen (id int)")
                behind = wait_until(lambda: float(hub.python(BEHIND)), what="the replica's falling behind")
                later = float(hub.python(BEHIND))
                assert 0 < behind < later
                there.execute("SELECT pg_wal_replay_resume()")
            wait_until(lambda: hub.python(BEHIND) == "0.0", what="the replica's catching up again")
        finally:
            hub.kill_everything()
            standby.close()
