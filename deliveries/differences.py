"""What differs between two JSON values, place by place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
    found = list(islice(_Comparison().changes(before, after), limit + 1))
    return Difference(found[:limit], is_cut=len(found) > limit)


def same(before: Any, after: Any) -> bool:
    """Return whether nothing differs between two JSON values."""
    return _Comparison().same(before, after)


@dataclass(frozen=True)
class _Comparison:
    """What is known of two values while they are compared: a list asks of its items what those ask of theirs.

    Without it each level of nested lists would read again all that is below it.
    """

    known: dict[tuple[int, int], bool] = field(default_factory=dict)

    def same(self, before: Any, after: Any) -> bool:
        if not (isinstance(before, dict | list) and isinstance(after, dict | list)):
            return type(before) is type(after) and bool(before == after)
        pair = (id(before), id(after))  # both are held by the values that are compared
        if pair not in self.known:
            self.known[pair] = self._are_same(before, after)
        return self.known[pair]

    def _are_same(self, before: Any, after: Any) -> bool:
        if isinstance(before, dict) and isinstance(after, dict):
            return before.keys() == after.keys() and all(self.same(before[name], after[name]) for name in before)
        if isinstance(before, list) and isinstance(after, list):
            return len(before) == len(after) and all(map(self.same, before, after))
        return False

    def changes(self, before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[Change]:
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self._changes_of_objects(before, after, path)
        elif isinstance(before, list) and isinstance(after, list):
            yield from self._changes_of_lists(before, after, path)
        elif not self.same(before, after):
            yield Change(Kind.CHANGED, _written(path), before=before, after=after)

    def _changes_of_objects(
        self, before: dict[str, Any], after: dict[str, Any], path: tuple[str, ...]
    ) -> Iterator[Change]:
        for name, value in before.items():
            if name not in after:
                yield Change(Kind.REMOVED, _written((*path, _named(name))), before=value)
            elif not self.same(value, after[name]):
                yield from self.changes(value, after[name], (*path, _named(name)))
        for name, value in after.items():
            if name not in before:
                yield Change(Kind.ADDED, _written((*path, _named(name))), after=value)

    def _changes_of_lists(self, before: list[Any], after: list[Any], path: tuple[str, ...]) -> Iterator[Change]:
        shorter = min(len(before), len(after))
        begin = next((i for i in range(shorter) if not self.same(before[i], after[i])), shorter)
        left = shorter - begin
        end = next((i for i in range(left) if not self.same(before[-1 - i], after[-1 - i])), left)
        old, new = before[begin : len(before) - end], after[begin : len(after) - end]
        for place, (one, other) in enumerate(zip(old, new, strict=False), start=begin):
            yield from self.changes(one, other, (*path, f"[{place}]"))
        for place, item in enumerate(old[len(new) :], start=begin + len(new)):
            yield Change(Kind.REMOVED, _written((*path, f"[{place}]")), before=item)
        for place, item in enumerate(new[len(old) :], start=begin + len(old)):
            yield Change(Kind.ADDED, _written((*path, f"[{place}]")), after=item)


def _written(path: tuple[str, ...]) -> str:
    return "".join(path).removeprefix(".") or WHOLE


def _named(name: str) -> str:
    return f".{name if _PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)}"
