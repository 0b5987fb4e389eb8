"""``manage.py restore``: a backup in the place of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deliveries.backup import BackupFailed, restore
from deliveries.management.command import HubCommand


class Command(HubCommand):
    """Restore a backup while no hub runs. All of it, or nothing."""

    help = (
        "Puts a file of `backup` into the database, in one transaction. Refuses a damaged file, one of a newer hub, "
        "one whose keys are not in HUB_ENCRYPTION_KEYS, a database on which a hub runs, and one that is not empty."
    )
    examples = (
        ("into a new, empty database", "restore /srv/backups/hub-20270101T030000Z.sqlite3"),
        ("in the place of what is there", "restore before-upgrade.sqlite3 --replace"),
    )
    requires_system_checks = []  # they may ask a database that is not there yet

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, and what may be overridden."""
        parser.add_argument(
            "file", metavar="FILE", type=Path, help="what `backup` wrote; FILE.json has to be beside it"
        )
        parser.add_argument("--replace", action="store_true", help="remove what is in the database")
        parser.add_argument(
            "--without-keys", action="store_true", help="although what lost keys encrypted cannot be read"
        )

    def handle(self, *args: Any, file: Path, replace: bool, without_keys: bool, **options: Any) -> None:
        """Print what was restored, and what is left to do."""
        try:
            done = restore(file, now=timezone.now(), replace=replace, without_keys=without_keys)
        except BackupFailed as exc:
            raise CommandError(str(exc)) from exc
        taken_at = f"{done.manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC"
        counts = ", ".join(f"{count} {name}" for name, count in done.manifest.counts.items())
        self.stdout.write(f"restored {file} of {taken_at} ({counts})")
        if done.migrations_missing:
            self.stdout.write(f"{done.migrations_missing} migrations are newer: run `python manage.py migrate`")
        self.stdout.write("deliveries that were running then are taken over when their leases have run out")
        self.stdout.write(f"what came after {taken_at} is not there: `python manage.py backfill` asks the providers")
