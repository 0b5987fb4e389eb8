"""Work that takes so long that somebody may want to watch it."""

from __future__ import annotations

from collections.abc import Callable

#: Is told (how many are done, how many there are); the second may grow meanwhile.
Report = Callable[[int, int], None]


def unheard(done: int, total: int) -> None:
    """Tell nobody."""
