"""What a backup is of: a small JSON file beside it, which is read before the backup is trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from deliveries.backup.errors import BackupFailed

_FORMAT = 1
#: Said in every manifest, so that it is known before the day on which it matters.
NOT_INCLUDED = (
    "HUB_ENCRYPTION_KEYS and SECRET_KEY (only fingerprints of the first are here)",
    "what env: and file: references of secrets lead to",
    "the environment or .env file, and handlers of your own",
)


@dataclass(frozen=True)
class Manifest:
    """The facts of one backup; ``encryption_keys`` are fingerprints, the first is of the key that encrypted."""

    taken_at: datetime
    hub_version: str
    database: str
    database_version: str
    migrations: tuple[str, ...]
    counts: dict[str, int]
    encryption_keys: tuple[str, ...]
    bytes: int
    sha256: str

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """The fingerprints of keys that were in HUB_ENCRYPTION_KEYS when it was taken and are not now."""
        at_hand = fingerprints()
        return tuple(each for each in self.encryption_keys if each not in at_hand)

    def as_json(self) -> str:
        """Return the text of the manifest's file."""
        found = {"format": _FORMAT, **asdict(self), "taken_at": self.taken_at.isoformat()}
        return json.dumps({**found, "not_included": NOT_INCLUDED}, indent=2) + "\n"

    @classmethod
    def read(cls, backup: Path) -> Manifest:
        """Return the manifest of ``backup``; raises `BackupFailed` if there is none that can be read."""
        path = manifest_path(backup)
        try:
            found = json.loads(path.read_text())
            if found["format"] != _FORMAT:
                raise BackupFailed(f"{path} is of a newer hub (format {found['format']}); restore it with that one")
            return cls._of(found)
        except OSError as exc:
            raise BackupFailed(f"{path}, the backup's manifest, cannot be read ({exc.strerror})") from exc
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise BackupFailed(f"{path} is no manifest of a backup, or damaged") from exc

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Manifest:
        taken_at = parse_datetime(found["taken_at"])
        if taken_at is None:
            raise ValueError("taken_at")
        texts = {name: str(found[name]) for name in ("hub_version", "database", "database_version", "sha256")}
        return cls(
            taken_at=taken_at,
            migrations=tuple(map(str, found["migrations"])),
            counts={str(name): int(count) for name, count in found["counts"].items()},
            encryption_keys=tuple(map(str, found["encryption_keys"])),
            bytes=int(found["bytes"]),
            **texts,
        )


def manifest_path(backup: Path) -> Path:
    """Return where the manifest of ``backup`` lies."""
    return backup.with_name(f"{backup.name}.json")


def fingerprints(keys: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return a short name of each of ``keys``, of HUB_ENCRYPTION_KEYS if None; it gives nothing of a key away."""
    found = settings.HUB_ENCRYPTION_KEYS if keys is None else keys
    return tuple(hashlib.sha256(b"hub-backup:" + key.encode()).hexdigest()[:16] for key in found)


def sha256_of(path: Path) -> str:
    """Return the hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
