"""Learning what an event type looks like, an event at a time, and noting what differs from what was learned.

A change is: a field that never was there; one that was in nearly all events and is in none any more; a value of another
type. Null says that there is no value, and is no type in this; nor do a whole number and a fraction differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from deliveries.models.shape import Change, ChangeKind, KnownField, Shape, is_open, moment, newest
from deliveries.shapes.folding import fold
from deliveries.shapes.paths import MOST_PATHS, NULL, OBJECT, Fields, Place

#: Nothing is a change before so many events over so long a time were seen.
LEARNING_EVENTS, LEARNING_TIME = 50, timedelta(hours=1)
#: In so many of the events that could have it a field has to have been, for its absence to be a change ...
ALWAYS = 0.95
#: ... and absent from so many, one after the other, and for so long: one import without it is none.
ABSENT_EVENTS, ABSENT_TIME = 20, timedelta(minutes=10)
#: Of fewer events before nobody can tell that it was in nearly all.
FEWEST = 30
#: Beyond so many events all counts are halved: what they say is of late, and not of years ago.
_HALVED_AT = 2000
#: Changes that are kept, the latest ones.
MOST_CHANGES = 50


def learn(shape: Shape, found: Fields, *, at: datetime, event: UUID) -> None:
    """Take in the fields of one event; ``shape`` is changed, and not saved."""
    shape.looked_at += 1
    shape.counted += 1
    shape.last_seen_at = max(shape.last_seen_at, at)
    shape.is_cut = shape.is_cut or found.is_cut
    known: dict[str, KnownField] = shape.fields
    before = set(known)
    openings = {path for path, field in known.items() if OBJECT in field["types"]}
    for path, place in found.places.items():
        if path in known:
            _seen_again(shape, path, place, at=at, event=event)
        elif len(known) >= MOST_PATHS:
            shape.is_cut = True
        else:
            if place.parent in openings and not path.endswith("[]"):
                below = sum(_is_in(each, path, found) for each in found.places)
                _note(shape, ChangeKind.APPEARED, path, types=place.types, below=below, at=at, event=event)
            known[path] = _new(place, at=at, event=event)
    for path in before - set(found.places):
        _absent(shape, path, found, at=at, event=event)
    if shape.counted >= _HALVED_AT:
        _halve(shape)
    if fold(shape):
        shape.learned_at, shape.learns_since, shape.learns_from = None, at, shape.looked_at
    _judge_learning(shape, at)
    shape.changed_at = newest(shape.open_changes)


def _seen_again(shape: Shape, path: str, place: Place, *, at: datetime, event: UUID) -> None:
    field: KnownField = shape.fields[path]
    before = set(field["types"]) - {NULL}
    if before and place.types - before - {NULL}:
        _note(shape, ChangeKind.TYPE, path, types=place.types - {NULL}, before=before, at=at, event=event)
    if field["missing"] >= ABSENT_EVENTS:
        _end(shape, path, at)
    field["seen"] += 1
    field["missing"] = 0
    field["last_at"] = at.isoformat()
    for name in place.types:
        field["types"][name] = field["types"].get(name, 0) + 1


def _absent(shape: Shape, path: str, found: Fields, *, at: datetime, event: UUID) -> None:
    """Note that a field is not in an event that has what it is in."""
    field: KnownField = shape.fields[path]
    parent = found.places.get(field["parent"])
    if path.endswith("[]") or parent is None or OBJECT not in parent.types:
        return  # an empty list, or nothing that could have it
    field["missing"] += 1
    if field["missing"] < ABSENT_EVENTS or at - moment(field["last_at"]) < ABSENT_TIME:
        return
    chances = shape.fields[field["parent"]]["types"].get(OBJECT, 0) - field["missing"]
    is_known = _is_noted(shape, ChangeKind.VANISHED, path)
    if not is_known and chances >= FEWEST and field["seen"] >= ALWAYS * chances:
        below = len(within(shape.fields, path)) - 1
        _note(shape, ChangeKind.VANISHED, path, before=set(field["types"]) - {NULL}, below=below, at=at, event=event)


def within(fields: dict[str, KnownField], path: str) -> list[str]:
    """Return ``path`` and all known fields in it."""
    found = [path]
    for each in found:
        found += [child for child, field in fields.items() if field["parent"] == each and child != each]
    return found


def _new(place: Place, *, at: datetime, event: UUID) -> KnownField:
    return {
        "parent": place.parent,
        "types": dict.fromkeys(sorted(place.types), 1),
        "seen": 1,
        "missing": 0,
        "first_at": at.isoformat(),
        "first_event": str(event),
        "last_at": at.isoformat(),
    }


def _is_in(path: str, outer: str, found: Fields) -> bool:
    """Return whether the field ``path`` of a payload is somewhere in ``outer``."""
    parent = found.places[path].parent
    while parent not in {outer, ""}:
        parent = found.places[parent].parent
    return parent == outer and path != outer


def _note(
    shape: Shape,
    kind: ChangeKind,
    path: str,
    *,
    types: Iterable[str] = (),
    before: Iterable[str] = (),
    below: int = 0,
    at: datetime,
    event: UUID,
) -> None:
    """Keep a change, once; none while the shape is still being learned."""
    if shape.learned_at is None or _is_noted(shape, kind, path):
        return
    change = change_of(kind, path, types=types, before=before, below=below, at=at, event=event)
    shape.changes = [*shape.changes, change][-MOST_CHANGES:]


def _is_noted(shape: Shape, kind: ChangeKind, path: str) -> bool:
    return any(is_open(each) and (each["kind"], each["path"]) == (kind, path) for each in shape.changes)


def change_of(
    kind: ChangeKind,
    path: str = "",
    *,
    types: Iterable[str] = (),
    before: Iterable[str] = (),
    below: int = 0,
    at: datetime,
    event: UUID,
) -> Change:
    """Return a change that nobody has accepted."""
    return {
        "kind": str(kind),
        "path": path,
        "types": sorted(types),
        "before": sorted(before),
        "below": below,
        "at": at.isoformat(),
        "event": str(event),
        "ended_at": None,
        "accepted_at": None,
        "accepted_by": "",
    }


def _end(shape: Shape, path: str, at: datetime) -> None:
    for change in shape.changes:
        if is_open(change) and (change["kind"], change["path"]) == (ChangeKind.VANISHED, path):
            change["ended_at"] = at.isoformat()


def _halve(shape: Shape) -> None:
    """Halve all counts; a type that was there once stays known."""
    shape.counted //= 2
    for field in shape.fields.values():
        field["seen"] = max(1, field["seen"] // 2)
        field["types"] = {name: max(1, count // 2) for name, count in field["types"].items()}


def _judge_learning(shape: Shape, at: datetime) -> None:
    enough = shape.looked_at - shape.learns_from >= LEARNING_EVENTS
    if shape.learned_at is None and enough and at - shape.learns_since >= LEARNING_TIME:
        shape.learned_at = at
