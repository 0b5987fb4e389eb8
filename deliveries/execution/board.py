"""What a worker process runs, where the cluster's main process can read it although the worker stands still.

A handler in a call to C that keeps Python's lock stops every thread of its process: nobody in there can say that it
hangs. So each thread writes down what it is about to run, in a small file that is mapped into memory. No lock: whoever
is killed while writing leaves nothing locked behind.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

#: The environment variable that names the folder of the boards of this tree of processes.
BOARDS = "HUB_WORKER_BOARDS"
SUFFIX = ".board"
#: Beside the board: where Python writes, on a signal, where all threads stand.
TRACE_SUFFIX = ".trace"

# When the main loop was last round, and whether it is at work; by `time.monotonic`, which all processes share.
_HEAD = struct.Struct("d?7x")
# Taken or not, the delivery, the attempt's number, the thread for the kernel and for Python, the end of its time.
_LINE = struct.Struct("?7x16sqqQd")


@dataclass(frozen=True)
class Line:
    """One delivery in one thread: ``over_at`` is when its time is over, the two ids are the thread's."""

    delivery_id: UUID
    number: int
    native_id: int
    ident: int
    over_at: float


class Board:
    """The board of this process, with a line for each of ``threads``; without ``path`` nobody else sees it."""

    def __init__(self, threads: int, path: Path | None = None) -> None:
        size = _HEAD.size + threads * _LINE.size
        if path is None:
            self._memory = mmap.mmap(-1, size)
            return
        path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), size)

    def show_alive(self, *, at_work: bool) -> None:
        """Note that the main loop goes round, or that it has stopped because there is nothing to do."""
        _HEAD.pack_into(self._memory, 0, time.monotonic(), at_work)

    def take(self, place: int, delivery_id: UUID, number: int, *, seconds: float) -> None:
        """Note that the calling thread begins to run an attempt that may take ``seconds``."""
        over_at = time.monotonic() + seconds
        native_id, ident = threading.get_native_id(), threading.get_ident()
        offset = _HEAD.size + place * _LINE.size
        _LINE.pack_into(self._memory, offset, True, delivery_id.bytes, number, native_id, ident, over_at)

    def leave(self, place: int) -> None:
        """Note that the thread is free."""
        self._memory[_HEAD.size + place * _LINE.size] = 0


@dataclass(frozen=True)
class Reading:
    """What a board says."""

    seen_at: float
    at_work: bool
    lines: tuple[Line, ...]


def read(file: BinaryIO) -> Reading:
    """Return what the board in ``file`` says; of a file that is not complete yet, nothing."""
    content = file.read()
    if len(content) < _HEAD.size:
        return Reading(0.0, False, ())
    seen_at, at_work = _HEAD.unpack_from(content)
    return Reading(seen_at, at_work, tuple(_lines(content)))


def _lines(content: bytes) -> Iterator[Line]:
    for offset in range(_HEAD.size, len(content) - _LINE.size + 1, _LINE.size):
        taken, delivery, number, native_id, ident, over_at = _LINE.unpack_from(content, offset)
        if taken:
            yield Line(UUID(bytes=delivery), number, native_id, ident, over_at)
