"""``manage.py backup``: the whole database as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deliveries.backup import BackupFailed, remove_old, take
from deliveries.management.command import HubCommand


class Command(HubCommand):
    """Back the database up. Can be run while the hub runs."""

    help = (
        "Writes the whole database to a file, consistent while the hub runs, and what it is of to FILE.json beside it. "
        "It does not hold HUB_ENCRYPTION_KEYS, SECRET_KEY, nor what env: and file: references lead to: keep those "
        "elsewhere. PostgreSQL needs pg_dump, no older than the server."
    )
    examples = (
        ("before an upgrade", "backup before-upgrade.sqlite3"),
        ("every night, from cron: a file named after the time, the last 14 kept", "backup /srv/backups --keep 14"),
    )
    requires_system_checks = []  # a hub that is set up badly is backed up all the same

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where to, and how many to keep."""
        parser.add_argument("file", metavar="FILE", type=Path, help="a file that is not there yet, or a folder")
        parser.add_argument("--keep", type=int, metavar="N", help="remove all but the newest N of the folder FILE")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, file: Path, keep: int | None, **options: Any) -> None:
        """Print what was written."""
        if keep is not None and (keep < 1 or not file.is_dir()):
            raise CommandError("--keep takes a number from 1, and a folder as FILE")
        try:
            path, manifest = take(file, now=timezone.now())
        except BackupFailed as exc:
            raise CommandError(str(exc)) from exc
        removed = remove_old(file, keep=keep) if keep is not None else 0
        if options["json"]:
            self.write_json({"file": str(path), "removed": removed, "sha256": manifest.sha256, **manifest.counts})
            return
        counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
        gone = f"; removed {removed} older" if removed else ""
        self.stdout.write(f"wrote {path} ({manifest.bytes} bytes: {counts}){gone}")
