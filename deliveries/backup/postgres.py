"""PostgreSQL's own tools, pg_dump and pg_restore, which see the password in their environment only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, transaction
from psycopg import conninfo, pq

from deliveries.backup.errors import BackupFailed
from deliveries.backup.facts import Facts, read_facts

#: Left out of the address on the command line, which everybody on the machine can read.
_SECRET = {"password", "sslpassword"}


def dump(target: Path) -> Facts:
    """Write the hub's database to ``target`` in pg_dump's custom format and return what it holds.

    The counts are of the very snapshot that pg_dump reads: whatever comes meanwhile is in neither.
    """
    tool = _tool("pg_dump")
    _is_new_enough(tool)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()

        def ask(statement: str) -> list[Any]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        facts = read_facts(ask, version=ask("SHOW server_version")[0][0])
        _run([tool, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}"])
    return facts


def load(backup: Path) -> None:
    """Put ``backup`` in place of what is in the hub's database, all in one transaction, or nothing of it."""
    tool = _tool("pg_restore")
    connection.close()
    _run(
        [tool, "--single-transaction", "--exit-on-error", "--clean", "--if-exists", "--no-owner", "--no-privileges"],
        str(backup.absolute()),
    )


def others() -> list[str]:
    """Return how those are called who have a connection to the database besides this process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT COALESCE(NULLIF(application_name, ''), 'unnamed') FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return sorted(name for (name,) in cursor.fetchall())


def _tool(name: str) -> str:
    folder = settings.HUB_POSTGRES_BIN
    found = shutil.which(name, path=folder or None)
    if found is None:
        where = f"in HUB_POSTGRES_BIN, {folder}" if folder else "on the PATH"
        raise BackupFailed(f"{name} is not {where}; install PostgreSQL's client tools or set HUB_POSTGRES_BIN")
    return found


def _is_new_enough(tool: str) -> None:
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\) (\d+)", said)
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10000
    if found is None or int(found[1]) < server:
        its = found[1] if found else "unknown"
        raise BackupFailed(
            f"{tool} is of version {its}, and the server of {server}: it may not be older; install PostgreSQL's client "
            f"tools of version {server}, and say where they are in HUB_POSTGRES_BIN"
        )


def _run(command: list[str], *arguments: str) -> None:
    address, environment = _address()
    done = subprocess.run(  # noqa: S603 - the tool's path is the operator's
        [*command, f"--dbname={address}", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        name = Path(command[0]).name
        lines = [line for line in done.stderr.splitlines() if "error" in line] or [f"exit code {done.returncode}"]
        raise BackupFailed(f"{name} failed: {lines[0].removeprefix(f'{name}: ')}")


def _address() -> tuple[str, dict[str, str]]:
    """Return the database's address without its password, and the environment that has it."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    given = {name: value for name, value in connection.get_connection_params().items() if name in known}
    environment = dict(os.environ)
    if given.get("password"):
        environment["PGPASSWORD"] = str(given["password"])
    public = {name: value for name, value in given.items() if name not in _SECRET}
    try:
        return conninfo.make_conninfo(**public), environment
    except psycopg.ProgrammingError as exc:
        raise BackupFailed("DATABASE_URL has options that PostgreSQL's tools do not know") from exc
