"""How much is left of the disk that the database fills; of a PostgreSQL server's only where it is known."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection


@dataclass(frozen=True)
class Disk:
    """The bytes of a file system, and those of them that can still be written."""

    total_bytes: int
    free_bytes: int

    @property
    def free_percent(self) -> float:
        """How much of it is free."""
        return 100 * self.free_bytes / self.total_bytes if self.total_bytes else 0.0


def disk() -> Disk | None:
    """Return the state of the disk: of ``HUB_DATABASE_DIR``, else of SQLite's file.

    None where neither is there, or it cannot be looked at.
    """
    name = str(connection.settings_dict["NAME"])
    if settings.HUB_DATABASE_DIR:
        folder = Path(settings.HUB_DATABASE_DIR)
    elif connection.vendor == "sqlite":
        folder = Path(name).parent if name and "memory" not in name else Path()
    else:
        return None
    try:
        usage = shutil.disk_usage(folder)
    except (OSError, ValueError):
        return None
    return Disk(usage.total, usage.free)
