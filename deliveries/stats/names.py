"""Names that are counted, by the hour: in bounded number, as strangers choose them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from deliveries.models.named_count import OTHERS, NamedCell

#: Names of one endpoint and one measure that a process counts each for itself in an hour.
MOST_NAMES = 50

_Place = tuple[str, datetime, UUID]


class KnownNames:
    """What a process has counted by name in the latest hour."""

    def __init__(self) -> None:
        self._known: dict[_Place, set[str]] = {}

    def bounded(self, cells: Iterable[tuple[NamedCell, int]]) -> Counter[NamedCell]:
        """Return ``cells`` with `OTHERS` for each name beyond the bound; the most frequent come first."""
        found: Counter[NamedCell] = Counter()
        for cell, count in sorted(cells, key=lambda pair: -pair[1]):
            known = self._known.setdefault(cell[:3], set())
            if cell.name in known or len(known) < MOST_NAMES:
                known.add(cell.name)
            else:
                cell = cell._replace(name=OTHERS)
            found[cell] += count
        self._forget()
        return found

    def _forget(self) -> None:
        latest = max((place[1] for place in self._known), default=None)
        self._known = {place: names for place, names in self._known.items() if place[1] == latest}
