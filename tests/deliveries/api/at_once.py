"""Requests that are sent in the same moment, each by a thread with a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


def at_once(count: int, ask: Callable[[int], Any]) -> list[Any]:
    """Return what ``ask`` returns for 0 to ``count`` - 1."""
    start = Barrier(count)

    def run(number: int) -> Any:
        try:
            start.wait(10)
            return ask(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
