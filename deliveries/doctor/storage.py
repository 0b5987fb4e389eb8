"""The database: whether it keeps what it was given, in a form that this code and these keys can read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from deliveries.concerns.storing import in_words
from deliveries.doctor.symptoms import Finding, Symptom, problem, warning
from deliveries.retention import targets
from deliveries.rotation import columns
from deliveries.stats.disk import forecast
from integrations.encryption import decrypt

#: Timestamps are judged to within minutes, leases and due times to within seconds.
_MOST_SKEW = timedelta(seconds=2)
#: So many of the newest values of a column are decrypted; of configuration it is all there are, or nearly.
_LOOKED_AT = 200
_NAMED = 5
#: SQLite reads all of a file to check it; a larger one would take minutes.
_QUICKLY_CHECKED_BYTES = 1024**3


def database_is_safe(_now: datetime) -> Finding:
    """Look at the settings of the database that decide whether a commit survives a crash."""
    return _postgres() if connection.vendor == "postgresql" else _sqlite()


def migrations_are_applied(_now: datetime) -> Finding:
    """Count those that are missing."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not missing:
        return "", ()
    return "", [problem(f"{len(missing)} migrations are not applied.", "Run `python manage.py migrate`.")]


def clocks_agree(_now: datetime) -> Finding:
    """Compare this machine's clock with the database's."""
    if connection.vendor != "postgresql":
        return "", ()
    with connection.cursor() as cursor:
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone()
        skew = theirs - (before + (timezone.now() - before) / 2)
    fact = f"the database is {skew.total_seconds():+.2f} s away"
    if abs(skew) <= _MOST_SKEW:
        return fact, ()
    text = f"The clocks of this machine and of the database are {abs(skew.total_seconds()):.0f} s apart."
    return fact, [problem(text, "Let both follow a time server (chrony, systemd-timesyncd).")]


def disk_lasts(now: datetime) -> Finding:
    """Foretell when the database's disk is full."""
    found = forecast(now)
    words = in_words(found)
    if found.full_in is None or found.full_in > timedelta(days=30):
        return words.rstrip("."), ()
    mend = "Keep bodies for a shorter time (HUB_BODY_DAYS, or the endpoint's own), or give it a larger disk."
    make = problem if found.full_in < timedelta(days=7) else warning
    return "", [make(words, mend)]


def archive_can_be_had(_now: datetime) -> Finding:
    """Look for the connection that events are archived with; it is not called."""
    try:
        targets.target()
    except OSError as exc:
        mend = "Make it, or name another in HUB_ARCHIVE_CONNECTION: until then nothing is removed by age."
        return "", [problem(f"Events cannot be archived: {exc}", mend)]
    return "", ()


def keys_decrypt(_now: datetime) -> Finding:
    """Decrypt the newest values of every encrypted column."""
    looked_at, lost = 0, []
    for column in columns():
        for pk, token in column.newest(_LOOKED_AT):
            looked_at += 1
            try:
                decrypt(token)
            except ImproperlyConfigured:
                lost.append(f"{column.label} {pk}")
    fact = f"{looked_at} values decrypted"
    if not lost:
        return fact, ()
    named = ", ".join(lost[:_NAMED]) + (f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else "")
    mend = "Put the key that is missing back into HUB_ENCRYPTION_KEYS, after the first; or enter the secret anew."
    return fact, [problem(f"No key of HUB_ENCRYPTION_KEYS decrypts {named}.", mend)]


def _sqlite() -> Finding:
    found = {name: _pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    wanted: dict[str, Any] = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    symptoms = [
        problem(
            f"SQLite's {name} is {value}, not {wanted[name]}.",
            "Is its file on a network drive? Keep it on a local one.",
        )
        for name, value in found.items()
        if value != wanted[name]
    ]
    is_small = _pragma("page_count") * _pragma("page_size") < _QUICKLY_CHECKED_BYTES
    if is_small and _pragma("quick_check(1)") != "ok":
        symptoms.append(problem("The SQLite file is damaged.", "Stop the hub and restore the last backup."))
    return f"SQLite {sqlite3.sqlite_version}", symptoms


def _pragma(name: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]


def _postgres() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings")
        found = dict(cursor.fetchall())
    return f"PostgreSQL {found['server_version']}", list(_postgres_symptoms(found))


def _postgres_symptoms(found: dict[str, str]) -> Iterator[Symptom]:
    for name, danger in (
        ("fsync", "a crash of the machine can destroy the database"),
        ("full_page_writes", "a crash of the machine can destroy the database"),
        ("synchronous_commit", "a crash loses what was answered with 200 just before"),
    ):
        if found[name] == "off":
            yield problem(f"PostgreSQL's {name} is off: {danger}.", f"Set {name} = on in postgresql.conf.")
    if found["server_encoding"] != "UTF8":
        yield problem(f"The database's encoding is {found['server_encoding']}.", "Make it anew with ENCODING 'UTF8'.")
    most = int(found["max_connections"]) - int(found["superuser_reserved_connections"])
    # Each thread that uses the database has a connection of its own: docs/decisions/0002-engine.md.
    needed = settings.HUB_WEB_WORKERS * settings.HUB_WEB_THREADS
    needed += settings.HUB_WORKERS * (settings.HUB_WORKER_THREADS + 1) + 1
    if needed > most:
        text = f"One hub may open {needed} connections, and the database takes {most}."
        yield warning(text, "Raise max_connections, or lower HUB_WEB_THREADS or HUB_WORKER_THREADS.")
