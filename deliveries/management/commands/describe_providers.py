"""``manage.py describe_providers``: the documentation of the providers, from the presets themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deliveries.management.command import HubCommand
from integrations.provider_pages import index_page, provider_page
from integrations.providers import providers

# | GitLab (signing token) | standardwebhooks 1.1.0, Python | ... of docs/reference/verified-by-sdks.md
_CHECKED = re.compile(r"^\| (?P<name>.+?) \| (?P<library>[^|]+?) \| `", re.MULTILINE)


class Command(HubCommand):
    """Write a page per provider and the index of them, in Markdown."""

    help = "Writes providers/<key>.md for every provider, and reference/providers.md, into the documentation's folder."
    examples = (("after a change of a preset", "describe_providers docs"),)
    exit_codes = "0 written; 1 this is not the documentation's folder"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder."""
        parser.add_argument("folder", type=Path, help="the documentation's folder: docs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the pages, remove those of providers that are no more, and say how many there are."""
        folder: Path = options["folder"]
        if not (folder / "reference").is_dir():
            raise CommandError(f"{folder} is not the documentation's folder: it has no folder reference.")
        libraries = _libraries(folder / "reference" / "verified-by-sdks.md")
        pages = folder / "providers"
        pages.mkdir(exist_ok=True)
        for key in providers:
            _write(pages / f"{key}.md", provider_page(key, libraries.get(providers[key].name, [])))
        _write(folder / "reference" / "providers.md", index_page(libraries))
        for page in set(pages.glob("*.md")) - {pages / f"{key}.md" for key in providers}:
            page.unlink()
        self.stdout.write(f"described {len(list(providers))} providers")


def _libraries(table: Path) -> dict[str, list[str]]:
    """Return the libraries that check each provider, by its name, as the page about them says."""
    if not table.exists():
        return {}
    names = {providers[key].name for key in providers}
    found: dict[str, list[str]] = {}
    for match in _CHECKED.finditer(table.read_text(encoding="utf-8")):
        # The page adds the case in brackets where a provider has several: Discord (events).
        name = match["name"] if match["name"] in names else match["name"].rpartition(" (")[0]
        if match["library"] not in found.setdefault(name, []):
            found[name].append(match["library"])
    return found


def _write(path: Path, page: str) -> None:
    path.write_text(page, encoding="utf-8", newline="\n")
