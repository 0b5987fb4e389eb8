"""``manage.py make_fixture``: turn a stored event into a pytest fixture, scrubbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from deliveries.fixture import NoFixture, fixture_of
from deliveries.management.command import HubCommand
from deliveries.models import Event


class Command(HubCommand):
    """Write a JSON file and a pytest module; what is there is not overwritten unless that is asked for."""

    help = "Turns a stored event into a JSON file, without secrets and people, and a pytest module that delivers it."

    examples = (
        ("a test of an event that failed", "make_fixture 0199c1d2-0000-7000-8000-000000000000 --output orders/tests"),
        (
            "names of products are no people",
            "make_fixture 0199c1d2-0000-7000-8000-000000000000 --output orders/tests --keep name",
        ),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the event and the folder."""
        parser.add_argument("event", type=UUID, metavar="EVENT", help="the event's id in the hub")
        parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where to; made if missing")
        parser.add_argument(
            "--keep", action="append", default=[], metavar="FIELD", help="a field that names no person; may be repeated"
        )
        parser.add_argument("--force", action="store_true", help="overwrite files that are there and differ")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print which files were written."""
        event = Event.objects.select_related("endpoint", "batch").filter(pk=options["event"]).first()
        if event is None:
            raise CommandError(f"there is no event {options['event']}")
        try:
            files = fixture_of(event, keep=options["keep"]).files
        except NoFixture as exc:
            raise CommandError(f"no fixture was made: {exc}") from exc
        folder: Path = options["output"]
        differing = [name for name, text in files.items() if (folder / name).exists() and _differs(folder / name, text)]
        if differing and not options["force"]:
            raise CommandError(f"{folder / differing[0]} is there and differs; --force overwrites it")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as exc:
            raise CommandError(f"{folder} cannot be written to: {exc.strerror}") from exc
        self.stdout.write(f"wrote {', '.join(str(folder / name) for name in files)}; read them before you commit them")


def _differs(file: Path, text: str) -> bool:
    return not file.is_file() or file.read_text(encoding="utf-8", errors="replace") != text
