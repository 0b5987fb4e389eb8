"""Whose turn it is among those who wait for a thread: the urgent first, in between one of the others.

Needs no Django: the web server has it before Django is set up.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

#: So many urgent ones in a row, then it is another's turn: who waits behind them is refused in time at least.
_IN_A_ROW = 8


class Turns(Generic[T]):
    """Who waits, the urgent apart from the others; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._urgent: deque[T] = deque()
        self._others: deque[T] = deque()
        self._in_a_row = 0

    def add(self, item: T, *, is_urgent: bool) -> None:
        """Let ``item`` wait behind those of its kind."""
        (self._urgent if is_urgent else self._others).append(item)

    def take(self) -> tuple[T, bool]:
        """Return whose turn it is, and whether that was urgent; to be called once for each that was added."""
        with self._lock:
            is_urgent = bool(self._urgent) and not (self._others and self._in_a_row >= _IN_A_ROW)
            self._in_a_row = self._in_a_row + 1 if is_urgent else 0
            return (self._urgent if is_urgent else self._others).popleft(), is_urgent
