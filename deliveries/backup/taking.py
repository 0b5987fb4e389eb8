"""Taking a backup, finding the newest, and removing old ones."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection

from deliveries.backup import postgres, sqlite
from deliveries.backup.errors import BackupFailed
from deliveries.backup.manifest import Manifest, fingerprints, manifest_path, sha256_of

_SUFFIXES = {"sqlite": ".sqlite3", "postgresql": ".dump"}


def take(target: Path, *, now: datetime) -> tuple[Path, Manifest]:
    """Write the database to ``target``, or to a new file named after ``now`` if that is a folder.

    Returns the file and its manifest, which lies beside it. The file gets its name when all of it is on the disk, so a
    file of that name is whole. Raises `BackupFailed`.
    """
    path = target / f"hub-{now:%Y%m%dT%H%M%SZ}{_SUFFIXES[connection.vendor]}" if target.is_dir() else target
    if path.exists():
        raise BackupFailed(f"{path} is there already; backups are never overwritten")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside = temporary.with_suffix(".json")
    try:
        manifest = _write(temporary, now=now)
        beside.touch(mode=0o600)
        beside.write_text(manifest.as_json())
        _sync(temporary)
        _sync(beside)
        beside.rename(manifest_path(path))
        temporary.rename(path)
        _sync(path.parent)
    except OSError as exc:
        raise BackupFailed(f"{path} cannot be written ({exc.strerror})") from exc
    finally:
        for left in (temporary, beside, temporary.with_name(f"{temporary.name}-journal")):
            left.unlink(missing_ok=True)
    return path, manifest


def backups(folder: Path) -> list[Path]:
    """Return the backups in ``folder`` that are named after their time, the newest first."""
    found = [path for suffix in _SUFFIXES.values() for path in folder.glob(f"hub-*Z{suffix}")]
    return sorted((path for path in found if manifest_path(path).exists()), key=lambda path: path.name, reverse=True)


def newest(folder: Path) -> Manifest | None:
    """Return the manifest of the newest backup in ``folder``; None if there is none."""
    found = backups(folder)
    return Manifest.read(found[0]) if found else None


def remove_old(folder: Path, *, keep: int) -> int:
    """Remove all but the newest ``keep`` backups of ``folder`` and return how many went."""
    old = backups(folder)[keep:]
    for path in old:
        path.unlink(missing_ok=True)
        manifest_path(path).unlink(missing_ok=True)
    return len(old)


def _write(path: Path, *, now: datetime) -> Manifest:
    if not path.parent.is_dir():
        raise BackupFailed(f"{path.parent} is no folder")
    # Private before the first byte of it is there.
    path.touch(mode=0o600, exist_ok=False)
    facts = (postgres if connection.vendor == "postgresql" else sqlite).dump(path)
    return Manifest(
        taken_at=now,
        hub_version=settings.HUB_VERSION,
        database=connection.vendor,
        database_version=facts.version,
        migrations=facts.migrations,
        counts=facts.counts,
        encryption_keys=fingerprints(),
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
