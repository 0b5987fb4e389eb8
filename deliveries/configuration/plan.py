"""What has to change so that the hub is as a file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.kind import Item, Key, Kind
from deliveries.configuration.reading import Document

Action = Literal["create", "change", "delete"]


@dataclass(frozen=True)
class Difference:
    """One value that differs, fit to be shown; None stands for what is not there."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One row that is made, changed or retired. ``values`` are the columns to write, with what must not be shown."""

    kind: Kind
    action: Action
    key: Key
    differences: tuple[Difference, ...] = ()
    item: Item = field(default_factory=dict)
    row: Any = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def label(self) -> str:
        """What changes, for people."""
        return self.kind.label(self.key)

    def as_json(self) -> dict[str, Any]:
        """Return the change for a program; credentials are masked."""
        return {
            "kind": self.kind.name,
            "action": self.action,
            **dict(zip(self.kind.identity, self.key, strict=True)),
            "differences": [vars(difference) for difference in self.differences],
        }


@dataclass(frozen=True)
class Plan:
    """Everything that has to change, in the order in which it is done."""

    changes: tuple[Change, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the plan for a program; two plans are the same if this is."""
        return [change.as_json() for change in self.changes]

    def count(self, action: Action) -> int:
        """Return how many changes are of this sort."""
        return sum(change.action == action for change in self.changes)


def compare(document: Document, *, lock: bool = False) -> Plan:
    """Return what has to change; raises `ConfigurationError` with all that is wrong in the file.

    Kinds that the file does not name are left alone. With ``lock`` the rows are locked until the transaction ends.
    """
    made: list[Change] = []
    retired: list[Change] = []
    problems: list[str] = []
    for kind, items in document.items():
        rows = kind.rows().select_for_update(of=("self",)) if lock else kind.rows()
        for key, item, row in kind.pairs(items, rows):
            if item is None:
                retired.append(Change(kind, "delete", key, row=row))
                continue
            try:
                made += _changes(kind, key, item, row)
            except ConfigurationError as exc:
                problems += [f"{kind.label(key)}: {problem}" for problem in exc.problems]
    if problems:
        raise ConfigurationError(problems)
    # What is retired goes last, when nothing names it any more; what names others before what is named.
    order = {kind: number for number, kind in enumerate(document)}
    retired.sort(key=lambda change: -order[change.kind])
    return Plan((*made, *retired))


def _changes(kind: Kind, key: Key, item: Item, row: Any) -> Iterator[Change]:
    desired, parts = kind.desired(item, row), kind.part_changes(item, row)
    if row is None:
        shown = kind.shown(kind.entered(item))
        differences = [Difference(name, None, value) for name, value in _leaves(shown)]
        differences += [Difference(name, *values) for name, values in parts.items()]
        yield Change(kind, "create", key, tuple(differences), item=item, values=kind.entered(item))
        return
    current = kind.current(row)
    values = {name: value for name, value in desired.items() if current[name] != value}
    differences = [*_differences(kind, current, desired), *(Difference(name, *both) for name, both in parts.items())]
    if values or differences:
        yield Change(kind, "change", key, tuple(differences), item=item, row=row, values=values)


def _differences(kind: Kind, current: dict[str, Any], desired: dict[str, Any]) -> Iterator[Difference]:
    before = dict(_leaves(kind.shown({**current})))
    after = dict(_leaves(kind.shown({**current, **desired})))
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name) != after.get(name):
            yield Difference(name, before.get(name), after.get(name))


def _leaves(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value), with nested objects taken apart."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value
