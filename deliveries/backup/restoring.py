"""Putting a backup in the place of the database, after every reason not to has been looked for."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from deliveries.backup import postgres, sqlite
from deliveries.backup.errors import BackupFailed
from deliveries.backup.facts import Facts, read_facts
from deliveries.backup.manifest import Manifest, sha256_of
from deliveries.models import Event, Worker
from integrations.models import Endpoint


@dataclass(frozen=True)
class Restored:
    """What was restored, and how many ``migrations_missing`` this hub's code still has to apply."""

    manifest: Manifest
    migrations_missing: int


def restore(backup: Path, *, now: datetime, replace: bool = False, without_keys: bool = False) -> Restored:
    """Put ``backup`` into the hub's database and return what it was.

    Raises `BackupFailed`, and leaves the database as it is, if the file is not what its manifest says, if it is of a
    newer hub or another kind of database, if keys are missing (unless ``without_keys``), if a hub runs, or if there is
    something in the database (unless ``replace``).
    """
    manifest = Manifest.read(backup)
    _is_whole(backup, manifest)
    _fits(manifest)
    if manifest.missing_keys and not without_keys:
        raise BackupFailed(
            f"HUB_ENCRYPTION_KEYS lacks {_named(manifest.missing_keys)} of the backup's keys: what they encrypted"
            " could not be read. Put them back, or give --without-keys and enter those secrets anew"
        )
    tables = set(connection.introspection.table_names())
    _nothing_runs(tables, now=now)
    if tables and not replace:
        _is_empty(tables)
    (postgres if connection.vendor == "postgresql" else sqlite).load(backup)
    _holds_all(manifest)
    executor = MigrationExecutor(connection)
    return Restored(manifest, len(executor.migration_plan(executor.loader.graph.leaf_nodes())))


def _is_whole(backup: Path, manifest: Manifest) -> None:
    try:
        size = backup.stat().st_size
        is_whole = size == manifest.bytes and sha256_of(backup) == manifest.sha256
    except OSError as exc:
        raise BackupFailed(f"{backup} cannot be read ({exc.strerror})") from exc
    if not is_whole:
        raise BackupFailed(f"{backup} is damaged: it is not what its manifest says ({manifest.bytes} bytes, sha256)")


def _fits(manifest: Manifest) -> None:
    if manifest.database != connection.vendor:
        raise BackupFailed(f"the backup is of {manifest.database}, and DATABASE_URL leads to {connection.vendor}")
    known = {f"{app}.{name}" for app, name in MigrationExecutor(None).loader.disk_migrations}
    unknown = [name for name in manifest.migrations if name not in known]
    if unknown:
        raise BackupFailed(
            f"the backup is of a newer hub ({manifest.hub_version}): this one does not know the migration {unknown[-1]}"
        )


def _nothing_runs(tables: set[str], *, now: datetime) -> None:
    if Worker._meta.db_table in tables:
        alive = sorted(worker.name for worker in Worker.objects.alive(now) if not _is_gone(worker))
        if alive:
            raise BackupFailed(
                f"a hub runs on this database ({_named(alive)}): stop it first."
                " On another machine, one that has ended counts for another 30 seconds"
            )
    if connection.vendor == "postgresql" and (others := postgres.others()):
        raise BackupFailed(f"others are connected to this database ({_named(others)}): end them first")


def _is_gone(worker: Worker) -> bool:
    """Return whether it was on this machine and has ended; of other machines only the beat is known."""
    if worker.host != socket.gethostname()[:100] or not worker.pid:
        return False
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is there, and another user's
        return False
    return False


def _is_empty(tables: set[str]) -> None:
    models = (Event, Endpoint, get_user_model())
    ours = [model for model in models if model._meta.db_table in tables]
    if not ours:
        raise BackupFailed("the database has tables that are not the hub's; --replace goes on nevertheless")
    for model in ours:
        if model._base_manager.exists():
            names = model._meta.verbose_name_plural
            raise BackupFailed(f"the database is not empty (it has {names}); --replace puts the backup in its place")


def _holds_all(manifest: Manifest) -> None:
    facts = _facts()
    if facts.counts != manifest.counts:
        raise BackupFailed(f"restored, but it holds {facts.counts} where the backup says {manifest.counts}")


def _facts() -> Facts:
    with connection.cursor() as cursor:

        def ask(statement: str) -> list[object]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        return read_facts(ask, version="")


def _named(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
