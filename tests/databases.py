"""A database of its own for a test that starts the hub's real processes, and one that all databases of a run begin as.

Applying all migrations takes a core a dozen seconds. So whoever needs a migrated database first keeps a copy of it, and
all other processes of the run begin with that.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.db.backends.base.creation import BaseDatabaseCreation

#: Where the processes of a run keep the template, each for itself without it.
_SHARED = "TEST_TEMPLATE_FOLDER"


class Template:
    """The migrated database of this run, of the kind that the run is about."""

    def __init__(self, folder: Path, server: str | None) -> None:
        self.server = server
        self.file = folder / "template.sqlite3"
        self.name = f"template_{folder.name.lower().replace('-', '_')}"
        self._made, self._lock = folder / "made", folder / "lock"

    def is_made(self) -> bool:
        return self._made.exists()

    @contextmanager
    def made_once(self) -> Iterator[bool]:
        """Yield whether it is there; where it is not, nobody else makes one meanwhile."""
        if self.is_made():
            yield True
            return
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.is_made()

    def keep(self, database: str) -> None:
        """Copy the migrated ``database``, a name on the server or a file, to which nobody is connected."""
        if self.server:
            _execute(self.server, f'CREATE DATABASE "{self.name}" TEMPLATE "{database}"')
        else:
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(self.file)) as copy:
                source.backup(copy)
            self.file.chmod(0o600)  # copies are as private as the hub makes its own
        self._made.touch()

    def drop(self) -> None:
        """Remove it; the server may be gone already."""
        if self.server and self.is_made():
            with suppress(psycopg.OperationalError):
                _execute(self.server, f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        shutil.rmtree(self.file.parent, ignore_errors=True)


@cache
def template() -> Template:
    """Return that of this run, or of this process where no run has begun."""
    folder = os.environ.get(_SHARED)
    found = Template(Path(folder or tempfile.mkdtemp(prefix="hub-template-")), os.environ.get("TEST_DATABASE_URL"))
    if not folder:
        atexit.register(found.drop)
    return found


def share_template() -> None:
    """Have all processes that this one starts use one template, until it ends."""
    if _SHARED not in os.environ:
        os.environ[_SHARED] = tempfile.mkdtemp(prefix="hub-template-")
        atexit.register(template().drop)


def replace_creation() -> None:
    """Have Django make the test database out of the template, or the template out of it."""
    creation: Any = BaseDatabaseCreation
    create = creation.create_test_db

    def create_test_db(self: Any, *args: Any, keepdb: bool = False, **options: Any) -> Any:
        if keepdb or self.connection.alias != "default":
            return create(self, *args, keepdb=keepdb, **options)
        with template().made_once() as is_made:
            if is_made:
                _begin_with(template(), self)
            name = create(self, *args, keepdb=bool(is_made and not template().server), **options)
            if not is_made:
                self.connection.close()
                template().keep(name)
        return name

    creation.create_test_db = create_test_db


def _begin_with(found: Template, creation: Any) -> None:
    if found.server:
        creation.connection.settings_dict["TEST"]["TEMPLATE"] = found.name
    else:
        shutil.copy(found.file, creation._get_test_db_name())


@contextmanager
def fresh_database(folder: Path, *, migrate: Callable[[str], object]) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` of a database in which ``migrate`` has been done once, and nothing else.

    It is of the kind that this test run is about.
    """
    found = template()
    with ExitStack() as stack:
        with found.made_once() as is_made:
            database = _on_server(found.server, found.name if is_made else "") if found.server else _in_file(folder)
            url = stack.enter_context(database)
            if not is_made:
                migrate(url)
                found.keep(_database_of(url))
            elif not found.server:
                shutil.copy(found.file, _database_of(url))
        yield url


@contextmanager
def empty_database(folder: Path) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` of a database without a table, of the kind that this test run is about."""
    server = os.environ.get("TEST_DATABASE_URL")
    with _on_server(server) if server else _in_file(folder) as url:
        yield url


@contextmanager
def _in_file(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'journey.sqlite3'}"


@contextmanager
def _on_server(server: str, copied_from: str = "") -> Iterator[str]:
    name = f"journey_{uuid.uuid4().hex}"
    _execute(server, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{copied_from}"' if copied_from else ""))
    address, _, options = server.partition("?")
    try:
        yield f"{address.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
    finally:
        _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _database_of(url: str) -> str:
    """Return the file, or the name on the server, that ``url`` leads to."""
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else url.partition("?")[0].rpartition("/")[2]


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
