"""``manage.py describe_reference``: the pages of the reference that the code itself can write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from ruamel.yaml import YAML

from deliveries.configuration.schema import as_text
from deliveries.management.command import HubCommand
from deliveries.reference_pages.commands import commands_page
from deliveries.reference_pages.handlers import handlers_page
from deliveries.reference_pages.metrics import metrics_page
from deliveries.reference_pages.operations import operations_page
from deliveries.reference_pages.settings import settings_page

#: Of a page that people also write the code has parts.
PARTS: dict[str, Callable[[str], str]] = {
    "settings.md": settings_page,
    "handlers.md": handlers_page,
    "metrics.md": metrics_page,
}


class Command(HubCommand):
    """Write the pages, or the parts of pages, that come from the code."""

    help = (
        "Writes what the code knows of itself into the reference: commands, API, settings, handlers, metrics, and the "
        "configuration file's JSON Schema."
    )
    examples = (("after a new option, field, setting or handler", "describe_reference docs"),)
    exit_codes = "0 written; 1 this is not the documentation's folder"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder."""
        parser.add_argument("folder", type=Path, help="the documentation's folder: docs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the pages; the API's from ``reference/openapi.yaml``, which `manage.py spectacular` writes."""
        reference: Path = options["folder"] / "reference"
        try:
            pages = _pages(reference)
        except OSError as exc:
            raise CommandError(f"{options['folder']} is not the documentation's folder: {exc}") from None
        except LookupError as exc:
            raise CommandError(f"a page has lost the lines around the part {exc}") from None
        for name, page in pages.items():
            (reference / name).write_text(page, encoding="utf-8", newline="\n")
        self.stdout.write(f"wrote {len(pages)} files")


def _pages(reference: Path) -> dict[str, str]:
    description = YAML(typ="safe").load((reference / "openapi.yaml").read_text(encoding="utf-8"))
    return {
        "command-options.md": commands_page(),
        "api-operations.md": operations_page(description),
        "configuration.schema.json": as_text(built_in=True),
        **{name: write((reference / name).read_text(encoding="utf-8")) for name, write in PARTS.items()},
    }
