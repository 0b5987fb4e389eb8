"""The filters of value templates: Django's own that can do no harm, and what JSON needs. Each is bounded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import wraps
from typing import Any

from django.template import defaultfilters as own
from django.utils import dateformat
from django.utils.dateparse import parse_date, parse_datetime

#: Of one value, and of all output together.
MOST_CHARACTERS = 256 * 1024
_LONGEST_ARGUMENT = 1000


class TooMuchOutput(Exception):
    """A template makes more than it may, or takes longer."""


def as_text(value: Any) -> str:
    """Return ``value`` as it stands in a text: JSON, where it is not a text; null is nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return _json(value)


def _json(value: Any) -> str:
    """Return ``value`` as JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _join(value: Any, between: str = ", ") -> str:
    """Return a list's texts with ``between`` them; of anything else its text."""
    if not isinstance(value, list | tuple):
        return as_text(value)
    kept, length = [], 0
    for item in value:
        kept.append(as_text(item))
        length += len(kept[-1]) + len(between)
        if length > MOST_CHARACTERS:
            raise TooMuchOutput(f"a list makes more than {MOST_CHARACTERS:,} characters")
    return between.join(kept)


def _date(value: Any, form: str = "Y-m-d H:i") -> str:
    """Return an ISO 8601 text in Django's date format; what is no date is returned as it is."""
    if not isinstance(value, str) or len(value) > 50:
        return as_text(value)
    try:
        moment: datetime | date | None = parse_datetime(value) or parse_date(value)
    except ValueError:
        return value
    if moment is None:
        return value
    whole = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001
    return dateformat.format(whole, form)


def _floatformat(value: Any, digits: Any = -1) -> str:
    """Return a number with so many digits after the point."""
    if not -20 <= int(digits) <= 20:
        raise TooMuchOutput("floatformat takes -20 to 20 digits")
    return str(own.floatformat(value, int(digits)))


def _truncated(value: Any, length: Any) -> str:
    """Return at most ``length`` characters, the last an ellipsis if some are left out."""
    text, most = as_text(value), max(1, int(length))
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(value: Any, *args: Any, **kwargs: Any) -> Any:
        for text, most in ((value, MOST_CHARACTERS), *((arg, _LONGEST_ARGUMENT) for arg in args)):
            if isinstance(text, str) and len(text) > most:
                raise TooMuchOutput(f"a filter is given a text of more than {most:,} characters")
        result = function(value, *args, **kwargs)
        if isinstance(result, str) and len(result) > MOST_CHARACTERS:
            raise TooMuchOutput(f"a filter makes more than {MOST_CHARACTERS:,} characters")
        return result

    return run


def _of_text(function: Callable[[str], Any]) -> Callable[..., Any]:
    def run(value: Any) -> Any:
        return function(as_text(value))

    return run


_WRITTEN: dict[str, Callable[..., Any]] = {
    "capfirst": _of_text(lambda text: text[:1].upper() + text[1:]),
    "cut": lambda value, arg: as_text(value).replace(as_text(arg), ""),
    "date": _date,
    "default": lambda value, arg: value or arg,
    "default_if_none": lambda value, arg: arg if value is None else value,
    "escape": own.escape_filter,
    "first": lambda value: value[0] if isinstance(value, list | str) and value else "",
    "floatformat": _floatformat,
    "join": _join,
    "json": _json,
    "last": lambda value: value[-1] if isinstance(value, list | str) and value else "",
    "length": lambda value: len(value) if isinstance(value, Mapping | list | str) else 0,
    "linebreaksbr": own.linebreaksbr,
    "lower": _of_text(str.lower),
    "pluralize": own.pluralize,
    "slugify": _of_text(own.slugify),
    "title": _of_text(own.title),
    "truncatechars": _truncated,
    "upper": _of_text(str.upper),
    "urlencode": lambda value, safe="": own.urlencode(as_text(value), safe),
    "yesno": lambda value, words="yes,no,": own.yesno(value, words),
}

FILTERS: dict[str, Callable[..., Any]] = {name: _bounded(function) for name, function in _WRITTEN.items()}
