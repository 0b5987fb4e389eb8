"""SQLite's own online copy: consistent while others write, in both directions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection

from deliveries.backup.errors import BackupFailed
from deliveries.backup.facts import Facts, read_facts

_WAIT_SECONDS = 60


def dump(target: Path) -> Facts:
    """Copy the hub's database to ``target``, check the copy, and return what it holds."""
    with closing(_opened(_database())) as source, closing(_opened(target)) as copy:
        # In one step, so in one read transaction: with several, each write meanwhile would begin it anew.
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file, without a -wal beside it
        _check(copy)
        return read_facts(lambda statement: copy.execute(statement).fetchall(), version=sqlite3.sqlite_version)


def load(backup: Path) -> None:
    """Write ``backup`` over the hub's database in one transaction: until it ends, everybody sees what was there.

    Into the file, not in place of it: a process that has the old file open would go on writing to nowhere.
    """
    database = _database()
    connection.close()
    with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as source:
        _check(source)
        with closing(_opened(database)) as target:
            target.execute("PRAGMA journal_mode=WAL")
            try:
                source.backup(target)
            except sqlite3.Error as exc:
                raise BackupFailed(f"SQLite could not write {database} ({exc}); is it open elsewhere?") from exc
            target.execute("PRAGMA journal_mode=WAL")
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.chmod(0o600)


def _database() -> Path:
    name = str(connection.settings_dict["NAME"])
    if ":memory:" in name or "mode=memory" in name:
        raise BackupFailed("the database is in memory only")
    return Path(name)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)


def _check(copy: sqlite3.Connection) -> None:
    try:
        (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as exc:
        found = str(exc)
    if found != "ok":
        raise BackupFailed(f"SQLite's integrity check fails: {found}")
