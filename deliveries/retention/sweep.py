"""One round through everything that is past its age, a short step at a time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from deliveries.models.keeping import EVERYTHING, Part
from deliveries.retention.removal import remove_some
from deliveries.retention.stripping import Looked, Mark, strip_some
from integrations.models import Endpoint

#: On SQLite who waits for the lock looks for it again after up to a tenth of a second.
_SHORTEST_PAUSE_SECONDS = 0.1


def sweep(*, now: datetime, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Go through all endpoints; after each short transaction yield how many of each kind it removed (or would).

    Whoever asks for the next step decides when: receiving and deliveries go on in between. What goes as a whole is in
    nobody's way any more when parts are looked at; a dry run counts both. Raises Django's database errors.
    """
    endpoints = Endpoint.objects.filter(legal_hold="").order_by("pk").values_list("pk", flat=True)
    for pk in list(endpoints):
        endpoint = Endpoint.objects.get(pk=pk)  # as it is now, not when the round began
        yield from _steps(partial(remove_some, endpoint, now=now, dry_run=dry_run))
        for keeps in range(EVERYTHING.value, 0, -1):
            yield from _steps(partial(strip_some, endpoint, Part(keeps), now=now, dry_run=dry_run))


def prune_events(
    *, now: datetime, dry_run: bool = False, pause: Callable[[float], object] = time.sleep
) -> Counter[str]:
    """Do a whole round; return how many of each kind went (or would).

    After each transaction that removed something it waits with ``pause`` (seconds) for as long as that took.
    """
    total: Counter[str] = Counter()
    began = time.monotonic()
    for counts in sweep(now=now, dry_run=dry_run):
        total += counts
        if counts and not dry_run:
            pause(max(_SHORTEST_PAUSE_SECONDS, time.monotonic() - began))
        began = time.monotonic()
    return total


def _steps(look: Callable[..., Looked]) -> Iterator[Counter[str]]:
    mark: Mark | None = None
    while True:
        looked = look(after=mark)
        if looked.mark is None:
            return
        yield looked.counts
        mark = looked.mark
