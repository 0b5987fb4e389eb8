"""One bit that a whole tree of processes sees at once: the order to stop."""

from __future__ import annotations

import mmap


class StopFlag:
    """A flag that is shared with every process forked after it was made.

    A byte of anonymous shared memory and no lock: a signal handler may set it whatever the process was doing, and a
    process that is killed while it looks leaves nothing locked behind. (multiprocessing's Event does both wrong.)
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Order the stop; it cannot be taken back."""
        self._memory[0] = 1

    def is_set(self) -> bool:
        """Return whether the stop has been ordered."""
        return bool(self._memory[0])


#: The worker processes of this tree are to stop: made on import, before the first of them is forked.
stop_ordered = StopFlag()
