"""What every log line within a block carries, the hub's own lines and those of libraries and handlers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, get_contextvars

__all__ = ["bind_contextvars", "bound_contextvars", "lines_with"]


@contextmanager
def lines_with(**fields: object) -> Iterator[None]:
    """Put ``fields`` on every line of this thread within the block; whatever is bound within is gone afterwards.

    Coroutines that are run within have them too, and `asyncio.to_thread`; a thread that a handler starts has not.
    """
    before = get_contextvars()
    try:
        bind_contextvars(**fields)
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**before)
