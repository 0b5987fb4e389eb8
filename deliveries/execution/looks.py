"""When a drain looks for something due: at the bell, but not for each of many that come one after the other."""

from __future__ import annotations

import time

from deliveries.execution.doorbell import Doorbell
from deliveries.wakeup import EVERY_SECONDS

#: How soon a drain with handlers that run looks although no bell has rung.
POLL_SECONDS = 0.1
#: The same for one that has nothing to do: whoever rings the bell looks, too.
_IDLE_SECONDS = 0.5
#: After a look that took all there was, what comes is left to gather for so long, so that one look takes several.
REST_SECONDS = EVERY_SECONDS
#: The same where the last look took `MANY`: the more comes, the more is gathered.
LONGER_SECONDS = 0.05
MANY = 2
#: Whoever did not take the last, or is busy, leaves the next to who did, and comes in so much later if he does not.
AFTER_OTHERS_SECONDS = 0.006
#: A look that has begun is waited for so long: the one who makes it may take it all.
LOOKING_SECONDS = 0.05
#: So often he looks whether that is so.
_STAND_IN_SECONDS = 0.01


class Looks:
    """The looks of one drain, which answers ``bell``; all times are those of `time.monotonic`."""

    def __init__(self, bell: Doorbell) -> None:
        self._bell = bell
        self._again_at = self._full_until = 0.0
        self._again_after = POLL_SECONDS
        self._in_vain_at = -1.0

    @property
    def is_full(self) -> bool:
        """Whether of what is due nothing is for this drain as long as its own handlers run."""
        return time.monotonic() < self._full_until

    def is_due(self, *, busy: bool) -> bool:
        """Return whether it is time for a look; ``busy`` says whether handlers run."""
        if self.is_full:
            return False
        return time.monotonic() >= self._by_clock() or self.rest(busy=busy) == 0.0

    def is_called(self) -> bool:
        """Return whether it is time for a look before the next handler has ended."""
        return not self.is_full and (0.0 < self._by_clock() <= time.monotonic() or self.rest(busy=True) == 0.0)

    def _by_clock(self) -> float:
        """Return when it is time for a look although no bell has rung; 0.0 for at once.

        It counts from the last look of anybody that left nothing: who stands in would else look for himself, too.
        """
        if not self._again_at or self._bell.looked_here:
            return self._again_at
        return max(self._again_at, self._bell.looked_at + self._again_after)

    def wait(self) -> None:
        """Wait for the bell, or the next look, or `POLL_SECONDS`; for a drain in which nothing runs."""
        rest = self.rest(busy=False)
        left = min(POLL_SECONDS, self._by_clock() - time.monotonic())
        if rest is not None:
            time.sleep(max(0.0, min(rest, left)))
        elif left > 0:
            self._bell.listen(time.monotonic() + 2 * POLL_SECONDS)
            if self._bell.looked_here:
                self._bell.wait(left)
            else:  # not to be woken in the place of the one who goes first
                time.sleep(min(left, _STAND_IN_SECONDS))

    def rest(self, *, busy: bool) -> float | None:
        """Return in how many seconds the bell is to be answered; None if it has not rung, or was answered."""
        rung, looked = self._bell.rung_at, self._bell.looked_at
        if rung <= max(looked, self._in_vain_at):
            return None
        answer_at = max(rung, looked + self._bell.rest)
        if busy or not self._bell.looked_here:
            answer_at += AFTER_OTHERS_SECONDS
        if self._bell.looks_since > looked:  # also where the bell has rung since it began: who looks hears that, too
            answer_at = max(answer_at, self._bell.looks_since + LOOKING_SECONDS)
        return max(0.0, answer_at - time.monotonic())

    def begin(self) -> None:
        """Take in that a look begins."""
        self._bell.looks(time.monotonic())

    def took(self, taken: int, *, due: int, seen_at: float, busy: bool) -> None:
        """Take in that of ``due``, as they were counted at ``seen_at``, so many were ``taken``."""
        now = time.monotonic()
        self._full_until = now + POLL_SECONDS if due and not taken and busy else 0.0
        if taken == due:
            self._bell.looked(seen_at, rest=REST_SECONDS if taken < MANY else LONGER_SECONDS)
        self._bell.looks(0.0)
        if due and not taken:
            self._in_vain_at = seen_at
        self._again_after = POLL_SECONDS if taken or busy else _IDLE_SECONDS
        self._again_at = 0.0 if taken < due and taken else now + self._again_after

    def ended(self, *, others_wait: bool) -> None:
        """Take in that handlers have ended; ``others_wait`` if others may run because of that."""
        if others_wait or self._full_until:
            self._again_at = self._full_until = 0.0
