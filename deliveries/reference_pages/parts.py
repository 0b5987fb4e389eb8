"""Parts of pages that the code writes, between parts that people write."""

from __future__ import annotations

import re


def begin(name: str) -> str:
    """Return the line before the part ``name``."""
    return f"<!-- written by manage.py describe_reference: {name} -->"


END = "<!-- until here -->"


def with_part(page: str, name: str, part: str) -> str:
    """Return ``page`` with ``part`` in the place of its part ``name``; raises LookupError if it has none."""
    pattern = re.compile(f"{re.escape(begin(name))}\n.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(page):
        raise LookupError(name)
    return pattern.sub(lambda _: whole(name, part), page, count=1)


def whole(name: str, part: str) -> str:
    """Return ``part`` with the lines around it."""
    return f"{begin(name)}\n\n{part.strip()}\n\n{END}"
