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
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b

from django.conf import settings

#: The digest of a key, the tokens left, and when that was (`time.monotonic`, the same for all processes of a machine).
_SLOT = struct.Struct("=16sdd")
_EMPTY = bytes(16)
#: A key has its place among so many slots; the one that was asked for the longest ago makes way.
_WAYS = 8
#: Parts that are locked apart from each other.
_PARTS = 64
#: What was taken elsewhere is owed here, but never more than fills a bucket so many times.
_MOST_DEBT = 10


@dataclass
class Taken:
    """How many tokens of one key were taken, and how many its bucket holds when it is ``full``."""

    count: int = 0
    full: float = 1.0


class TokenBuckets:
    """A rate for each key, in all processes that are forked after this was made, and between their threads.

    One second's worth, at least one, or ``burst``, may come at once. Bounded in number; a key that has been pushed out
    starts with a full bucket. A process that is killed in the middle leaves no lock behind.

    With a ``name`` the buckets can be shared with other machines: what each process takes can be asked for
    (`taken`), and what was taken elsewhere taken off here (`charge`).
    """

    def __init__(self, *, most: int = 32_768, clock: Callable[[], float] = time.monotonic, name: str = "") -> None:
        self._clock = clock
        self._ways = min(_WAYS, most)
        self._sets = most // self._ways
        size = self._sets * self._ways * _SLOT.size
        self._file = memory_file(size)
        self._memory = mmap.mmap(self._file, size)
        # Nobody outside can choose keys that push a certain other one out. Machines have this one in common.
        self._secret = _secret_of(name) if name else os.urandom(32)
        self._taken: defaultdict[bytes, Taken] | None = None
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
            level = min(full, max(level, -_MOST_DEBT * full) + max(0.0, now - at) * rate)
            left = level - 1 if level >= 1 else level
            _SLOT.pack_into(self._memory, offset, digest, left, max(at, now))
            if level >= 1 and self._taken is not None:
                self._taken[digest].count += 1
                self._taken[digest].full = full
        return 0.0 if level >= 1 else (1 - level) / rate

    def give_back(self, key: Hashable) -> None:
        """Undo one `take`."""
        digest = self._digest(key)
        with self._locked(digest) as start:
            if found := self._slot(start, digest):
                offset, level, at = found
                _SLOT.pack_into(self._memory, offset, digest, level + 1, at)

    def taken(self) -> Mapping[bytes, Taken]:
        """Return what this process has taken since the last call, by a digest of the key; at the first call nothing."""
        with self._lock:
            found, self._taken = self._taken, defaultdict(Taken)
        return found or {}

    def charge(self, digest: bytes, taken: Taken) -> None:
        """Take off what was ``taken`` elsewhere of the key with that digest, into debt if need be."""
        with self._locked(digest) as start:
            offset, level, at = self._slot(start, digest) or (self._room(start), taken.full, self._clock())
            _SLOT.pack_into(self._memory, offset, digest, level - taken.count, at)

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


def _secret_of(name: str) -> bytes:
    return blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=name.encode()).digest()


def memory_file(size: int) -> int:
    """Return the descriptor of a file of ``size`` zeros that has no name; its pages are taken when they are written."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("hub-rates")
    else:  # macOS: a file that is gone from its folder already
        with tempfile.TemporaryFile() as named:
            file = os.dup(named.fileno())
    os.ftruncate(file, size)
    return file
