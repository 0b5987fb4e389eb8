"""``manage.py startautomation NAME [DIRECTORY]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.templates import TemplateCommand

from deliveries.management.command import HubCommand

_TEMPLATE = Path(__file__).parent.parent.parent / "automation_template"


class Command(HubCommand):
    """Lay down a package with a handler, its test and the test's event, by Django's own means for that."""

    help = "Lay down a Python package for handlers of your own: a first one, its test, and the event to test with."
    examples = (
        ("a package `orders` beside manage.py", "startautomation orders"),
        ("elsewhere, in a folder that is there", "startautomation orders /srv/automations/orders"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the package's name and, if not beside `manage.py`, its folder."""
        parser.add_argument("name", help="the package, as Python names it")
        parser.add_argument("directory", nargs="?", help="an existing folder for it; without one it is made here")

    def handle(self, *args: Any, name: str, directory: str | None, **options: Any) -> None:
        """Write the files, say what comes next."""
        options |= {"template": str(_TEMPLATE), "extensions": ["py"], "files": []}
        TemplateCommand().handle("app", name, target=directory, **options)
        folder = directory or name
        named = ",".join([*settings.HUB_AUTOMATIONS, name])
        self.stdout.write(
            f"{folder} is there. Put HUB_AUTOMATIONS={named} into .env, try its tests (python -m pytest {folder}), "
            "and start the hub anew."
        )
