"""``manage.py restore_archive``: bring archived events back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deliveries.management.command import HubCommand
from deliveries.retention import targets
from deliveries.retention.restoring import restore


class Command(HubCommand):
    """Restore what the files of an archive hold. Can be run twice: what is there already is left as it is."""

    help = (
        "Restores archived events as they were, with their deliveries and attempts, from files that the hub wrote "
        "to HUB_ARCHIVE_DIR, or from the objects of HUB_ARCHIVE_CONNECTION. They are under a legal hold then; end it, "
        "and they go by age again. What was erased at somebody's request does not come back."
    )

    examples = (
        ("a day of an endpoint", "restore_archive /var/lib/hub/archive/orders/2026-11-02-*.jsonl.gz"),
        ("the same, out of a bucket", "restore_archive --connection archive orders/2026-11-02"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the files and the form of the answer."""
        parser.add_argument("files", nargs="+", metavar="FILE", help="a .jsonl.gz of the archive")
        parser.add_argument(
            "--connection", default="", help="ask this one for it; FILE is what the names of objects begin with"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, files: list[str], connection: str, **options: Any) -> None:
        """Print how many came back."""
        try:
            found = restore(_archived(files, connection), now=timezone.now())
        except (OSError, ValueError) as exc:
            raise CommandError(str(exc)) from exc
        if options["json"]:
            self.write_json({name: found[name] for name in ("restored", "there", "erased", "homeless")})
            return
        self.stdout.write(
            f"restored {found['restored']} events; {found['there']} were there, {found['erased']} had been erased, "
            f"{found['homeless']} have no endpoint here"
        )


def _archived(files: list[str], connection: str) -> Iterable[targets.Archived]:
    if connection:
        return targets.objects_of(connection).files(files)
    if folder := next((file for file in files if Path(file).is_dir()), ""):
        raise CommandError(f"{folder} is a folder: name its files, such as {folder.rstrip('/')}/*.jsonl.gz")
    return (targets.at(Path(file)) for file in files)
