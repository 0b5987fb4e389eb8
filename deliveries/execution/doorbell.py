"""A bell that a whole tree of processes hears: there is something due.

A time in anonymous shared memory and no lock, as with `StopFlag`: whoever is killed while he rings or listens leaves
nothing locked behind.
"""

from __future__ import annotations

import mmap
import struct
import time

_TIME = struct.Struct("d")


class Doorbell:
    """Shared with every process that is forked after it was made."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _TIME.size)

    def ring(self) -> None:
        """Say that something may be due now."""
        _TIME.pack_into(self._memory, 0, time.monotonic())

    @property
    def rung_at(self) -> float:
        """When it was rung last, by `time.monotonic`; 0 for never."""
        rung: float = _TIME.unpack_from(self._memory)[0]
        return rung


#: The bell of this tree of worker processes: made on import, before the first of them is forked.
doorbell = Doorbell()
