"""On which core of the machine each web process stays.

The threads of a Python process take turns (the GIL). Where they may run on several cores, each turn wakes a thread on
another one, which costs up to as much as the work itself. So each web process has a core to itself as far as there are
any; docs/decisions/0032-own-cores.md says what was measured, and why workers go where they like.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from django.conf import settings

Core = int | None


def free_core(taken: Iterable[Core]) -> Core:
    """Return the core that the fewest of ``taken`` are; None where there is no choice, or it is not wished."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    return fewest(cores, taken) if settings.HUB_OWN_CORES and len(cores) > 1 else None


def fewest(cores: Iterable[int], taken: Iterable[Core]) -> int:
    """Return the first of ``cores`` of those that are the least often among ``taken``."""
    on_it = Counter(taken)
    return min(cores, key=lambda core: on_it[core])


def stay_on(core: Core) -> None:
    """Let this process, and the threads that it starts from now on, run on ``core`` alone; anywhere for None."""
    if core is not None:
        with suppress(OSError):  # not let, or the core has just been taken away
            os.sched_setaffinity(0, {core})
