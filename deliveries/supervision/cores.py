"""On which core of the machine each process stays.

The threads of a Python process take turns (the GIL). Where they may run on several cores, each turn wakes a thread on
another one, which costs up to as much as the work itself. So each process has a core to itself as far as there are
any; docs/decisions/0032-own-cores.md says what was measured.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from django.conf import settings

Core = int | None


def free_core(taken: Iterable[Core], *, last_first: bool = False) -> Core:
    """Return the core that the fewest of ``taken`` are; None where there is no choice, or it is not wished.

    Web servers begin with the first, workers with the last, so that one of each do not meet.
    """
    cores = _cores()
    if not settings.HUB_OWN_CORES or len(cores) < 2:
        return None
    return fewest(reversed(cores) if last_first else cores, taken)


def fewest(cores: Iterable[int], taken: Iterable[Core]) -> int:
    """Return the first of ``cores`` of those that are the least often among ``taken``."""
    on_it = Counter(taken)
    return min(cores, key=lambda core: on_it[core])


def stay_on(core: Core) -> None:
    """Let this process, and what it starts from now on, run on ``core``; on any for None."""
    if core is not None:
        _allow({core})


@contextmanager
def started_on(core: Core) -> Iterator[None]:
    """Start processes that stay on ``core``; this one goes on as before."""
    before = _cores()
    stay_on(core)
    try:
        yield
    finally:
        if core is not None:
            _allow(before)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def _allow(cores: Iterable[int]) -> None:
    with suppress(OSError):  # not let, or the core has just been taken away
        os.sched_setaffinity(0, cores)
