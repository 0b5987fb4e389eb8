from __future__ import annotations

import os

from deliveries.execution.sentinel import Timer


def test_a_timer_is_read_by_the_process_that_made_it_and_locked_by_none() -> None:
    timer = Timer()
    pid = os.fork()
    if not pid:
        with timer.get_lock():
            timer.value = -2
            os._exit(0)  # as one that is killed while it holds the lock
    os.waitpid(pid, 0)

    with timer.get_lock():
        assert timer.value == -2
