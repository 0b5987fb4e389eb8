"""Token buckets in memory that processes share: no database, and no server, is asked for a token.

The memory is made before the web server forks its processes, so that all of them, and those that replace them later,
have the same. It has no name and no file that would stay: it goes with the last of them.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

#: The digest of a key, the tokens left, and when that was (`time.monotonic`, the same for all processes of a machine).
_SLOT = struct.Struct("=16sdd")
_EMPTY = bytes(16)
#: A key has its place among so many slots; the one that was asked for the longest ago makes way.
_WAYS = 8
#: Parts that are locked apart from each other.
_PARTS = 64


class TokenBuckets:
    """A rate for each key, in all processes that are forked after this was made, and between their threads.

    One second's worth, at least one, or ``burst``, may come at once. Bounded in number; a key that has been pushed out
    starts with a full bucket. A process that is killed in the middle leaves no lock behind.
    """

    def __init__(self, *, most: int = 32_768, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ways = min(_WAYS, most)
        self._sets = most // self._ways
        size = self._sets * self._ways * _SLOT.size
        self._file = _memory_file(size)
        self._memory = mmap.mmap(self._file, size)
        # Nobody outside can choose keys that push a certain other one out.
        self._secret = os.urandom(16)
        # The kernel's locks are a process's, not a thread's; and it would see a deadlock where two threads of one
        # process wait for two parts. So a process takes one at a time.
        self._lock = threading.Lock()

    def take(self, key: Hashable, rate: float, *, burst: float | None = None) -> float:
        """Take one of ``rate`` a second; return 0, or the seconds until there is one (and nothing is taken)."""
        full = max(1.0, rate) if burst is None else burst
        digest = self._digest(key)
        with self._locked(digest) as start:
            now = self._clock()
            offset, level, at = self._slot(start, digest) or (self._room(start), full, now)
            # Another process may have read the clock a little later, and still been here first.
            level = min(full, level + max(0.0, now - at) * rate)
            left = level - 1 if level >= 1 else level
            _SLOT.pack_into(self._memory, offset, digest, left, max(at, now))
        return 0.0 if level >= 1 else (1 - level) / rate

    def give_back(self, key: Hashable) -> None:
        """Undo one `take`."""
        digest = self._digest(key)
        with self._locked(digest) as start:
            if found := self._slot(start, digest):
                offset, level, at = found
                _SLOT.pack_into(self._memory, offset, digest, level + 1, at)

    def clear(self) -> None:
        """Fill every bucket."""
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX, _PARTS, 0)
            try:
                self._memory[:] = bytes(len(self._memory))
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _PARTS, 0)

    def _digest(self, key: Hashable) -> bytes:
        return blake2b(repr(key).encode(), digest_size=16, key=self._secret).digest()

    @contextmanager
    def _locked(self, digest: bytes) -> Iterator[int]:
        """Hold the lock of the set in which ``digest`` has its place; yield where the set begins."""
        number = int.from_bytes(digest, "little") % self._sets
        part = number % _PARTS
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, part)
            try:
                yield number * self._ways * _SLOT.size
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, part)

    def _slot(self, start: int, digest: bytes) -> tuple[int, float, float] | None:
        """Return where the bucket of ``digest`` is, its level, and when that was; None if there is none."""
        for offset in self._offsets(start):
            if self._memory[offset : offset + len(digest)] == digest:
                _, level, at = _SLOT.unpack_from(self._memory, offset)
                return offset, level, at
        return None

    def _room(self, start: int) -> int:
        """Return the slot that is free, or was asked for the longest ago."""

        def asked_at(offset: int) -> float:
            digest, _, at = _SLOT.unpack_from(self._memory, offset)
            return float("-inf") if digest == _EMPTY else float(at)

        return min(self._offsets(start), key=asked_at)

    def _offsets(self, start: int) -> range:
        return range(start, start + self._ways * _SLOT.size, _SLOT.size)


def _memory_file(size: int) -> int:
    """Return the descriptor of a file of ``size`` zeros that has no name; its pages are taken when they are written."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("hub-rates")
    else:  # macOS: a file that is gone from its folder already
        with tempfile.TemporaryFile() as named:
            file = os.dup(named.fileno())
    os.ftruncate(file, size)
    return file
