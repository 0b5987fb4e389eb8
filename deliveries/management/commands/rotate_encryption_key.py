"""``manage.py rotate_encryption_key``: bring everything under the first key of ``HUB_ENCRYPTION_KEYS``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from deliveries.management.command import HubCommand
from deliveries.rotation import rotate_everything

_NAMED = 50


class Command(HubCommand):
    """Encrypt every stored secret, credential and encrypted body anew. Can be run while the hub runs, and twice."""

    help = "Encrypts everything that is encrypted under the first key of HUB_ENCRYPTION_KEYS."

    examples = (
        ("after a new key was put in front of HUB_ENCRYPTION_KEYS", "rotate_encryption_key"),
        ("for a script: what was done, and what is lost", "rotate_encryption_key --json"),
    )
    exit_codes = "0 all is under the first key; 1 something cannot be decrypted, and is named"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the form of the answer."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many values were encrypted anew; fail if one cannot be decrypted, and name it."""
        with self.progress("encrypting") as report:
            rotation = rotate_everything(report)
        if options["json"]:
            self.write_json(vars(rotation))
        line = f"encrypted {rotation.rotated} value{'' if rotation.rotated == 1 else 's'} anew"
        line += f", {rotation.current} {'was' if rotation.current == 1 else 'were'} under the first key already"
        if rotation.lost:
            more = len(rotation.lost) - _NAMED
            named = ", ".join(rotation.lost[:_NAMED]) + (f" and {more} more" if more > 0 else "")
            raise CommandError(f"{line}; no key in HUB_ENCRYPTION_KEYS decrypts {named}")
        if not options["json"]:
            self.stdout.write(line)
