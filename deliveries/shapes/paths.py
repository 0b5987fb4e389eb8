"""The fields of a payload: a path for each, and the types of what stands there. No value is kept.

A path is written as routes' filters are: `order.items[].sku`, names that are no plain words in quotes. Names that are
data (ids, addresses, dates, numbers) are one name, `*`: a map by customers is one field, and nobody's id is a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deliveries.models.sealing import MASK, storable

#: The whole payload.
ROOT = ""
#: What stands for a name that is data.
ANY = "*"
#: Deeper than that a payload is not looked into.
MOST_DEPTH = 8
#: Fields of one payload; what is beyond them is not looked at.
MOST_PATHS = 300
#: Items of a list that are looked at, the first ones.
MOST_ITEMS = 50
#: Values of one payload that are looked at.
_MOST_VALUES = 20_000
#: A longer name is a text, and no name.
_LONGEST_NAME = 64
_LONGEST_PATH = 300

OBJECT, ARRAY, STRING, NUMBER, BOOLEAN, NULL = "object", "array", "string", "number", "boolean", "null"
TYPES = (OBJECT, ARRAY, STRING, NUMBER, BOOLEAN, NULL)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATA = re.compile(
    r"[+-]?[\d.,:/ -]*\d"  # numbers, dates, versions, telephone numbers
    r"|\d{3}.*"
    r"|[^@\s]+@[^@\s]+"  # mail addresses
    r"|[a-z][a-z0-9+.-]*://.*"
    r"|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
#: What ids are made of, with or without a prefix: 64b5f3a09c1e, U024BE7LH, cus_9s6XKzkNRiz8i3.
_TOKEN = re.compile(r"(?:[A-Za-z]{1,8}[_-])?(?:[0-9a-f]{12,}|[A-Z0-9]{8,}|[A-Za-z0-9]{14,})")
_DIGITS_OF_A_TOKEN = 3
#: Of a name that is as long as an id so many characters are digits.
_LONG, _DIGITS = 16, 0.3


@dataclass(frozen=True)
class Place:
    """A field in one payload: what it is in, and the types of what stands there (of a list's items several)."""

    parent: str
    types: set[str] = field(default_factory=set)


@dataclass
class Fields:
    """The fields of one payload by path; ``is_cut`` if there are more than were looked at."""

    places: dict[str, Place] = field(default_factory=dict)
    is_cut: bool = False


def fields_of(payload: Any, *, folded: Collection[str] = ()) -> Fields:
    """Return the fields of ``payload``. The names in an object at one of the paths ``folded`` are data, all of them."""
    found = Fields()
    left = _MOST_VALUES
    for path, parent, type_ in _walk(payload, folded):
        left -= 1
        if left < 0:
            found.is_cut = True
            break
        place = found.places.get(path)
        if place is None:
            if len(found.places) >= MOST_PATHS or len(path) > _LONGEST_PATH:
                found.is_cut = True
                continue
            if parent != path and parent not in found.places:
                continue  # what it is in was left out
            place = found.places[path] = Place(parent)
        place.types.add(type_)
    return found


@lru_cache(maxsize=4096)
def is_data(name: str) -> bool:
    """Return whether a field's name looks like a value: an id, an address, a date, a number, or a text."""
    if not name or len(name) > _LONGEST_NAME or MASK in name or _DATA.fullmatch(name):
        return True
    digits = sum(letter.isdigit() for letter in name)
    if digits >= _DIGITS_OF_A_TOKEN and _TOKEN.fullmatch(name):
        return True
    return len(name) >= _LONG and digits >= _DIGITS * len(name)


def type_of(value: Any) -> str:
    """Return the type as JSON has it; whole numbers and others are one."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return STRING
    if isinstance(value, Mapping):
        return OBJECT
    return ARRAY if isinstance(value, list | tuple) else NUMBER


def _walk(payload: Any, folded: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield path, parent's path and type of everything in ``payload``; the widest first, so that a cut is at depth."""
    waiting: list[tuple[str, str, Any, int]] = [(ROOT, ROOT, payload, 0)]
    while waiting:
        later: list[tuple[str, str, Any, int]] = []
        for path, parent, value, depth in waiting:
            yield path, parent, type_of(value)
            if depth < MOST_DEPTH:
                later += [(child, path, item, depth + 1) for child, item in _children(path, value, folded)]
            if len(later) > _MOST_VALUES:
                break
        waiting = later


def _children(path: str, value: Any, folded: Collection[str]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield _joined(path, ANY if path in folded or is_data(str(name)) else _written(str(name))), item
    elif isinstance(value, list | tuple):
        for item in value[:MOST_ITEMS]:
            yield f"{path}[]", item


def _written(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(storable(name), ensure_ascii=False)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
