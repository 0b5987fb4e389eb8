"""Finding objects whose names are data although none looks like it: maps by user name, by country, by SKU."""

from __future__ import annotations

from collections import defaultdict

from deliveries.models.shape import KnownField, Shape, is_open
from deliveries.shapes.paths import ANY, OBJECT

#: An object with more names than that is a map.
MOST_NAMES = 64
#: And one with so many, of which each is in a small part of the events only: who has seen enough of them can tell.
_MANY_NAMES, _SMALL_PART, _ENOUGH = 12, 0.25, 50


def fold(shape: Shape) -> bool:
    """Make one field of the names of each object that is a map; return whether there was one."""
    known: dict[str, KnownField] = shape.fields
    children: defaultdict[str, list[str]] = defaultdict(list)
    for path, field in known.items():
        if path and not path.endswith("[]") and path.rpartition(".")[2] != ANY:
            children[field["parent"]].append(path)
    maps = [parent for parent, names in children.items() if _is_map(known, parent, names)]
    for parent in maps:
        _forget(shape, children[parent])
        shape.folded = [*shape.folded, parent]
    return bool(maps)


def _is_map(known: dict[str, KnownField], parent: str, names: list[str]) -> bool:
    if len(names) > MOST_NAMES:
        return True
    events = known[parent]["types"].get(OBJECT, 0)
    if len(names) < _MANY_NAMES or events < _ENOUGH:
        return False
    return all(known[name]["seen"] < _SMALL_PART * events for name in names)


def _forget(shape: Shape, paths: list[str]) -> None:
    """Remove ``paths`` and everything in them, and what was noted about them and is open."""
    gone = set(paths)
    while more := {path for path, field in shape.fields.items() if field["parent"] in gone} - gone:
        gone |= more
    shape.fields = {path: field for path, field in shape.fields.items() if path not in gone}
    shape.changes = [each for each in shape.changes if each["path"] not in gone or not is_open(each)]
