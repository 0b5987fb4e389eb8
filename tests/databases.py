"""A database of its own for a test that starts the hub's real processes."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg

#: A migrated database of this process, which others are copied from: applying all migrations takes seconds each time.
_template: list[str] = []


@contextmanager
def fresh_database(folder: Path, *, migrate: Callable[[str], object]) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` of a database in which ``migrate`` has been done once, and nothing else.

    It is of the kind that this test run is about.
    """
    server = os.environ.get("TEST_DATABASE_URL")
    with _on_server(server) if server else _in_file(folder) as (url, copy):
        if _template:
            copy(_template[0])
        else:
            migrate(url)
            _template.append(_keep(server, url))
        yield url


@contextmanager
def empty_database(folder: Path) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` of a database without a table, of the kind that this test run is about."""
    server = os.environ.get("TEST_DATABASE_URL")
    with _on_server(server) if server else _in_file(folder) as (url, _copy):
        yield url


@contextmanager
def _in_file(folder: Path) -> Iterator[tuple[str, Callable[[str], object]]]:
    file = folder / "journey.sqlite3"
    yield f"sqlite:///{file}", lambda template: shutil.copy(template, file)


@contextmanager
def _on_server(server: str) -> Iterator[tuple[str, Callable[[str], object]]]:
    name = f"journey_{uuid.uuid4().hex}"
    _execute(server, f'CREATE DATABASE "{name}"')

    def copy(template: str) -> None:
        _execute(server, f'DROP DATABASE "{name}"')
        _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    address, _, options = server.partition("?")
    try:
        yield f"{address.rpartition('/')[0]}/{name}" + (f"?{options}" if options else ""), copy
    finally:
        _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _keep(server: str | None, url: str) -> str:
    """Copy the migrated database at ``url`` aside; return what `fresh_database` copies from."""
    if not server:
        kept = Path(tempfile.mkdtemp(prefix="hub-template-"), "template.sqlite3")
        atexit.register(shutil.rmtree, kept.parent, ignore_errors=True)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source, closing(sqlite3.connect(kept)) as copy:
            source.backup(copy)
        return str(kept)
    name = f"template_{uuid.uuid4().hex}"
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{url.partition("?")[0].rpartition("/")[2]}"')
    atexit.register(_drop_quietly, server, name)
    return name


def _drop_quietly(server: str, name: str) -> None:
    with suppress(psycopg.OperationalError):  # the server may be gone already
        _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
