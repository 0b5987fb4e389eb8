"""What the built-in handlers say of themselves: summary, what a route starts from, config."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from deliveries.reference_pages.parts import begin, whole, with_part
from integrations.handlers import Handler, handlers
from integrations.provider_pages import schema_table


def handlers_page(page: str) -> str:
    """Return ``page``, docs/reference/handlers.md, with a part for each built-in handler.

    What people write stays below it; a handler that is new to the page gets its place, with a heading.
    """
    for entry in built_in():
        heading = f"## `{entry.key}`\n"
        if begin(entry.key) in page:
            page = with_part(page, entry.key, _part(entry))
        elif heading in page:
            page = page.replace(heading, f"{heading}\n{whole(entry.key, _part(entry))}\n", 1)
        else:
            page = f"{page.rstrip()}\n\n{heading}\n{whole(entry.key, _part(entry))}\n"
    return page


def built_in() -> Iterator[Handler]:
    """Yield the handlers that the hub brings along, in the order of their keys."""
    for key in sorted(handlers):
        if handlers[key].run.__module__.startswith("integrations."):
            yield handlers[key]


def _part(entry: Handler) -> str:
    first = (inspect.getdoc(entry.run) or "").partition("\n\n")[0]
    text = re.sub(r"``([^`]+)``", r"`\1`", " ".join(first.split()))
    return "\n\n".join(part for part in (text, _wishes(entry), _config(entry)) if part)


def _wishes(entry: Handler) -> str:
    wishes = []
    if entry.max_attempts is not None:
        wishes.append(f"`max_attempts` {entry.max_attempts}")
    if entry.timeout is not None:
        wishes.append(f"`timeout_seconds` {entry.timeout.total_seconds():g}")
    return f"A new route to it starts from {' and '.join(wishes)}." if wishes else ""


def _config(entry: Handler) -> str:
    if entry.config_schema.get("properties"):
        return schema_table(entry.config_schema)
    is_closed = entry.config_schema.get("additionalProperties") is False
    return "Its config is empty." if is_closed else "Its config is any object."
