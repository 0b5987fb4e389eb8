"""How much of the disk is left that an SQLite database fills. A PostgreSQL server's disk is not seen from here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

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
    """Return the state of the disk; None where there is no file, or it cannot be looked at."""
    if connection.vendor != "sqlite":
        return None
    name = str(connection.settings_dict["NAME"])
    try:
        usage = shutil.disk_usage(Path(name).parent if name and "memory" not in name else "")
    except (OSError, ValueError):
        return None
    return Disk(usage.total, usage.free)
