"""``manage.py export``: the hub's configuration as a YAML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from deliveries.configuration import schema
from deliveries.configuration.writing import PUBLISHED_SCHEMA, export
from deliveries.management.command import HubCommand


class Command(HubCommand):
    """Write the configuration as a file that ``apply`` takes. Changes nothing; the same rows give the same text."""

    help = (
        "Writes the hub's configuration (groups, connections, endpoints, routes, backfills, schedules, with references "
        "to their secrets) as one YAML file, for version control. No secret is in it: a stored one is left out, with a "
        "comment that says how to give it."
    )
    examples = (
        ("keep it in a file", "export --output hub.yaml"),
        ("with a schema for editors, your own handlers included", "export --output hub.yaml --schema hub.schema.json"),
        ("what has changed since?", "apply hub.yaml --dry-run"),
    )  # fmt: skip

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where to write to."""
        parser.add_argument("--output", metavar="FILE", help="write to FILE instead of standard output")
        parser.add_argument(
            "--schema",
            metavar="FILE",
            help="also write the JSON Schema of the file, and name it in the file's first line, where editors look",
        )

    def handle(self, *args: Any, output: str | None, schema: str | None, **options: Any) -> None:
        """Write."""
        try:
            text = export(schema=_place(schema, output) if schema else PUBLISHED_SCHEMA)
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc)) from exc
        try:
            if schema:
                _write(schema)
            if output is None:
                self.stdout.write(text, ending="")
                return
            Path(output).write_text(text, encoding="utf-8")
        except OSError as exc:
            raise CommandError(f"{exc.filename} cannot be written: {exc.strerror}") from exc
        self.stdout.write(f"exported to {output}")


def _place(schema: str, output: str | None) -> str:
    """Return where the schema is, seen from the file."""
    return Path(os.path.relpath(schema, Path(output).parent if output else Path.cwd())).as_posix()


def _write(path: str) -> None:
    Path(path).write_text(schema.as_text(), encoding="utf-8")
