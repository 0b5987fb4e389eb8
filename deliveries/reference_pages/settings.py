"""The tables of the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from deliveries.reference_pages.parts import with_part

#: The name of the part of the page that is written here.
PART = "settings"


def settings_page(page: str) -> str:
    """Return ``page``, docs/reference/settings.md, with the tables as the code has them."""
    sections = [_section(title, rows) for title, rows in settings.HUB_SETTINGS_REFERENCE]
    return with_part(page, PART, "\n\n".join(sections))


def _section(title: str, rows: Iterable[Any]) -> str:
    lines = [f"| `{row.name}` | {row.value} | {row.default} | {_cell(row.meaning)} |" for row in rows]
    return "\n".join([f"## {title}", "", "| name | value | default | meaning |", "|---|---|---|---|", *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
