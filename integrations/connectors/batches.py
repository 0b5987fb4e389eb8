"""Items that are written together: what a connector that writes batches asks for, and gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True)
class Item:
    """One thing to be written: ``place`` has each ``key`` once; ``folder`` and ``form`` say what it is written with."""

    place: str
    key: str
    folder: str
    form: str
    line: str


@dataclass(frozen=True)
class Limits:
    """When a batch is written: at so many items or bytes, or after the first has waited for ``wait``."""

    items: int
    bytes: int
    wait: timedelta


@dataclass(frozen=True)
class Batch:
    """What is written as one object: always the same for one ``id``, so that it may be written again."""

    id: str
    folder: str
    form: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Written:
    """The batch that an item was written with; ``is_new`` unless it was before this attempt began."""

    id: str
    folder: str
    form: str
    is_new: bool


class Batches(Protocol):
    """Where items wait for their batch, for all workers."""

    def bring(self, item: Item, *, limits: Limits, lease: timedelta, write: Callable[[Batch], None]) -> Written:
        """Return once ``item`` is written, with where it is: what another attempt has brought stays where it is.

        ``write`` is called for a batch that is full or due, within ``lease``, by one worker at a time; what it raises
        is raised. Raises `StillRunning` while the item waits, or another worker writes it.
        """
