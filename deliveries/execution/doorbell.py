"""A bell that a whole tree of processes hears: there is something due.

Times in anonymous shared memory and pipes, and no lock, as with `StopFlag`: whoever is killed while he rings or
listens leaves nothing locked behind. All of it is a hint: one that is lost costs a moment, until somebody looks.
"""

from __future__ import annotations

import mmap
import os
import select
import struct
import time
from contextlib import suppress

# When it was rung, until when somebody listens, when somebody last saw that nothing was left, who that was, how
# long all rest after that, and since when somebody looks.
_STATE = struct.Struct("dddqdd")
_RUNG, _LISTENS, _LOOKED, _LOOKER, _REST, _LOOKS = 0, 8, 16, 24, 32, 40
_TIME = struct.Struct("d")
_PID = struct.Struct("q")
_MOST_BYTES = 4096


class Doorbell:
    """Shared with every process that is forked after it was made. All times are those of `time.monotonic`."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _STATE.size)
        self._rings, self._begins = _pipe(), _pipe()

    def ring(self) -> None:
        """Say that something may be due now."""
        _TIME.pack_into(self._memory, _RUNG, time.monotonic())
        _write(self._rings[1])

    def wait(self, seconds: float) -> None:
        """Wait until it is rung, up to ``seconds``. Of several who wait all may be woken, or one."""
        poll = select.poll()
        poll.register(self._rings[0], select.POLLIN)
        if poll.poll(1000 * seconds):
            _read(self._rings[0])

    def listen(self, until: float) -> None:
        """Say that a worker with a free thread listens ``until`` then; 0.0: the one who said so does not any more."""
        _TIME.pack_into(self._memory, _LISTENS, until)

    @property
    def is_heard(self) -> bool:
        """Whether somebody listens who could take what is due."""
        until: float = _TIME.unpack_from(self._memory, _LISTENS)[0]
        return time.monotonic() < until

    def looks(self, since: float) -> None:
        """Say that somebody looks ``since`` then; 0.0: he has done."""
        _TIME.pack_into(self._memory, _LOOKS, since)

    @property
    def looks_since(self) -> float:
        """When a look began that nobody has ended since; 0 for none."""
        since: float = _TIME.unpack_from(self._memory, _LOOKS)[0]
        return since

    def looked(self, at: float, *, rest: float) -> None:
        """Say that this process looked ``at`` that time and took all that was due; all may ``rest`` so many seconds."""
        _TIME.pack_into(self._memory, _REST, rest)
        _TIME.pack_into(self._memory, _LOOKED, at)
        _PID.pack_into(self._memory, _LOOKER, os.getpid())

    @property
    def rung_at(self) -> float:
        """When it was rung last; 0 for never."""
        rung: float = _TIME.unpack_from(self._memory, _RUNG)[0]
        return rung

    @property
    def looked_at(self) -> float:
        """When somebody last saw what he then took all of; 0 for never."""
        looked: float = _TIME.unpack_from(self._memory, _LOOKED)[0]
        return looked

    @property
    def rest(self) -> float:
        """For how many seconds after that nobody need look."""
        seconds: float = _TIME.unpack_from(self._memory, _REST)[0]
        return seconds

    @property
    def looked_here(self) -> bool:
        """Whether that was this process."""
        looker: int = _PID.unpack_from(self._memory, _LOOKER)[0]
        return looker == os.getpid()

    def begun(self) -> None:
        """Say that a worker has begun to carry out an order."""
        _write(self._begins[1])

    def take_begun(self) -> int:
        """Return how many orders were begun since the last call."""
        return _read(self._begins[0])


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _write(end: int) -> None:
    with suppress(BlockingIOError):  # as many as nobody has heard are enough
        os.write(end, b"!")


def _read(end: int) -> int:
    try:
        return len(os.read(end, _MOST_BYTES))
    except BlockingIOError:  # another one was quicker
        return 0


#: The bell of this tree of worker processes: made on import, before the first of them is forked.
doorbell = Doorbell()
