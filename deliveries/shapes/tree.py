"""A shape as it is read: its fields as a tree, a line each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from deliveries.models.shape import Change, ChangeKind, KnownField, Shape, moment
from deliveries.shapes.paths import ROOT


@dataclass(frozen=True)
class Line:
    """One field: its path, its name in what it is in, how deep that is, and what is known of it.

    ``types`` are those that were seen, the most frequent first; ``share`` is the part of the events of late that have
    it, from 0 to 1. ``changes`` are the open ones about it.
    """

    path: str
    name: str
    depth: int
    types: list[str]
    share: float
    first_at: datetime
    first_event: str
    last_at: datetime
    changes: list[Change]

    @property
    def is_new(self) -> bool:
        """Whether it was not there when the shape was learned, and nobody has accepted it."""
        return any(change["kind"] == ChangeKind.APPEARED for change in self.changes)

    @property
    def is_gone(self) -> bool:
        """Whether it was in nearly all events and is in none any more."""
        return any(change["kind"] == ChangeKind.VANISHED for change in self.changes)

    @property
    def has_another_type(self) -> bool:
        """Whether values of another type came."""
        return any(change["kind"] == ChangeKind.TYPE for change in self.changes)


def lines(shape: Shape) -> list[Line]:
    """Return the fields of ``shape``, each behind what it is in, those of one object by name."""
    known: dict[str, KnownField] = shape.fields
    if ROOT not in known:
        return []
    events = max(1, known[ROOT]["seen"])
    children: defaultdict[str, list[str]] = defaultdict(list)
    for path, field in known.items():
        if path != ROOT:
            children[field["parent"]].append(path)
    changes: defaultdict[str, list[Change]] = defaultdict(list)
    for change in shape.open_changes:
        if change["kind"] != ChangeKind.NEW_TYPE:
            changes[change["path"]].append(change)
    return [
        _line(path, depth, known[path], events=events, changes=changes[path])
        for path, depth in _walk(ROOT, 0, children)
    ]


def _walk(path: str, depth: int, children: dict[str, list[str]]) -> Iterator[tuple[str, int]]:
    yield path, depth
    for child in sorted(children.get(path, ())):
        yield from _walk(child, depth + 1, children)


def _line(path: str, depth: int, field: KnownField, *, events: int, changes: list[Change]) -> Line:
    return Line(
        path=path,
        name=path.removeprefix(field["parent"]).removeprefix("."),
        depth=depth,
        types=sorted(field["types"], key=lambda name: (-field["types"][name], name)),
        share=min(1.0, field["seen"] / events),
        first_at=moment(field["first_at"]),
        first_event=field["first_event"],
        last_at=moment(field["last_at"]),
        changes=changes,
    )
