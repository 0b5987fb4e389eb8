"""``manage.py describe_reference``: the pages of the reference that the code itself can write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from ruamel.yaml import YAML

from deliveries.reference_pages.commands import commands_page
from deliveries.reference_pages.operations import operations_page


class Command(BaseCommand):
    """Write the options of the commands and the operations of the API, in Markdown."""

    help = "Writes reference/command-options.md and reference/api-operations.md into the documentation's folder."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder."""
        parser.add_argument("folder", type=Path, help="the documentation's folder: docs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the pages; the API's from ``reference/openapi.yaml``, which `manage.py spectacular` writes."""
        reference: Path = options["folder"] / "reference"
        description = reference / "openapi.yaml"
        if not description.exists():
            raise CommandError(f"{options['folder']} is not the documentation's folder: {description} is missing.")
        pages = {
            "command-options.md": commands_page(),
            "api-operations.md": operations_page(YAML(typ="safe").load(description.read_text(encoding="utf-8"))),
        }
        for name, page in pages.items():
            (reference / name).write_text(page, encoding="utf-8", newline="\n")
        self.stdout.write(f"wrote {len(pages)} pages")
