"""What a request is refused for when there is more than the hub can take."""

from __future__ import annotations

import random
from collections.abc import Callable

from deliveries.overload.flow import flow
from deliveries.overload.judging import Room, Standing
from deliveries.overload.standing import overload
from deliveries.receiving.refusals import Shed

#: Why an endpoint has refused.
SHED, DISK_FULL = "shed", "disk_full"
#: When to come again; not all at the same moment.
_SOONEST_SECONDS, _LATEST_SECONDS = 15, 45
#: A disk is not emptied in a minute.
_DISK_SECONDS = 300


def refuse_overload(
    priority: int, *, is_test: bool, standing: Standing | None = None, dice: Callable[[], float] | None = None
) -> None:
    """Raise `Shed` if a request for an endpoint of ``priority`` is not to be taken in now.

    A test event of the hub's own is refused by a full disk alone: it is there to see whether the hub works.
    """
    standing, dice = standing or overload.now, dice or random.random
    if standing.room == Room.NONE:
        raise Shed(DISK_FULL, wait_seconds=_DISK_SECONDS)
    if is_test:
        return
    refused = standing.is_shedding and standing.sheds(priority, dice=dice())
    flow.came(priority, let_in=not refused)
    if refused:
        raise Shed(SHED, wait_seconds=_SOONEST_SECONDS + (_LATEST_SECONDS - _SOONEST_SECONDS) * dice())
