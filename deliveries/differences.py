"""What differs between two JSON values, place by place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What a place is called that is the whole value.
WHOLE = "@"


class Kind(StrEnum):
    """What has become of a place."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Change:
    """One place; ``path`` leads there as the filter of a route writes it, ``@`` is the whole value.

    ``before`` of what was added is None, and so is ``after`` of what was removed.
    """

    kind: Kind
    path: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Difference:
    """The first places that differ, in the order of the first value; ``is_cut`` says that there are more."""

    changes: Sequence[Change]
    is_cut: bool = False


def difference(before: Any, after: Any, *, limit: int) -> Difference:
    """Return up to ``limit`` places at which two JSON values differ.

    The order of fields says nothing; a number is not the same as its text, nor 1 the same as true or 1.0. What was put
    into a list, or taken out of one, does not make the items behind it differ.
    """
    found = list(islice(_changes(before, after, ""), limit + 1))
    return Difference(found[:limit], is_cut=len(found) > limit)


def same(before: Any, after: Any) -> bool:
    """Return whether nothing differs between two JSON values."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(same(before[name], after[name]) for name in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(same, before, after))
    return type(before) is type(after) and bool(before == after)


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before:
            inner = f"{path}.{_named(name)}" if path else _named(name)
            if name in after:
                yield from _changes(before[name], after[name], inner)
            else:
                yield Change(Kind.REMOVED, inner, before=before[name])
        for name in after:
            if name not in before:
                yield Change(Kind.ADDED, f"{path}.{_named(name)}" if path else _named(name), after=after[name])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _changes_of_lists(before, after, path)
    elif not same(before, after):
        yield Change(Kind.CHANGED, path or WHOLE, before=before, after=after)


def _changes_of_lists(before: list[Any], after: list[Any], path: str) -> Iterator[Change]:
    shorter = min(len(before), len(after))
    begin = next((i for i in range(shorter) if not same(before[i], after[i])), shorter)
    end = next((i for i in range(shorter - begin) if not same(before[-1 - i], after[-1 - i])), shorter - begin)
    old, new = before[begin : len(before) - end], after[begin : len(after) - end]
    for place, (one, other) in enumerate(zip(old, new, strict=False), start=begin):
        yield from _changes(one, other, f"{path}[{place}]")
    for place, item in enumerate(old[len(new) :], start=begin + len(new)):
        yield Change(Kind.REMOVED, f"{path}[{place}]", before=item)
    for place, item in enumerate(new[len(old) :], start=begin + len(old)):
        yield Change(Kind.ADDED, f"{path}[{place}]", after=item)


def _named(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)
