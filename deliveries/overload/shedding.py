"""What a request is refused for when there is more than the hub can take."""

from __future__ import annotations

import random
from collections.abc import Callable

from deliveries.overload.judging import Room, Standing
from deliveries.overload.standing import overload
from deliveries.receiving.refusals import Shed

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
        raise Shed("disk_full", wait_seconds=_DISK_SECONDS)
    if not is_test and standing.is_shedding and standing.sheds(priority, dice=dice()):
        raise Shed("shed", wait_seconds=_SOONEST_SECONDS + (_LATEST_SECONDS - _SOONEST_SECONDS) * dice())
