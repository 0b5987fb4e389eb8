"""A server that is drawn: one thread, a queue, and what a request costs; no clock but its own."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from deliveries.overload.flow import HIGHEST, Flow
from deliveries.overload.sharing import Share, share

LOOK_SECONDS = 0.25
BOUND_SECONDS = 0.25
CONNECTIONS = 200


@dataclass
class Sender:
    """Events of one priority, ``rate`` a second; over so many connections, each of which waits for its answer."""

    rate: float
    due: float = 0.0
    waiting: int = 0
    #: When each was to be sent, how long it took, and whether it was let in.
    answers: list[tuple[float, float, bool]] = field(default_factory=list)

    def let_in(self, *, after: float = 0.0) -> list[float]:
        """Return how long those took that were let in, in order of length."""
        return sorted(took for due, took, good in self.answers if good and due >= after)


class DrawnServer:
    """A server that takes in ``capacity`` events a second; to refuse one costs ``refusing`` of what one costs it."""

    def __init__(self, *, capacity: float, refusing: float) -> None:
        self.now, self.share = 0.0, Share()
        self._cost, self._refusing = 1 / capacity, refusing / capacity
        self._flow = Flow(clock=lambda: self.now)
        self._queue: deque[tuple[float, float, int]] = deque()
        self._dice = random.Random(1).random
        self._look_at = LOOK_SECONDS

    def serve(
        self, rates: Mapping[int, float], seconds: float, *, still: tuple[float, float] = (0, 0)
    ) -> Mapping[int, Sender]:
        """Be sent so many events a second, by priority, for so long; return what became of them.

        Between the seconds ``still`` nothing is answered: all threads wait for a disk, say.
        """
        senders = {priority: Sender(rate, due=self.now) for priority, rate in rates.items() if rate}
        end = self.now + seconds
        stands, goes_on = (self.now + moment for moment in still)
        while self.now < end:
            self._arrive(senders)
            if self._queue and not stands <= self.now < goes_on:
                self._answer(senders)
            else:
                moments = (self._look_at, end, goes_on, *(sender.due for sender in senders.values()))
                self.now = min(moment for moment in moments if moment > self.now)
            if self.now >= self._look_at:
                self._look_at += LOOK_SECONDS
                self.share = share(self.share, self._flow.take(), BOUND_SECONDS)
        return senders

    def _arrive(self, senders: Mapping[int, Sender]) -> None:
        found = []
        for priority, sender in senders.items():
            while sender.due <= self.now and sender.waiting < CONNECTIONS:
                found.append((max(sender.due, self.now - self._cost), sender.due, priority))
                sender.due += 1 / sender.rate
                sender.waiting += 1
        self._queue.extend(sorted(found, key=itemgetter(0)))

    def _answer(self, senders: Mapping[int, Sender]) -> None:
        came_at, due, priority = self._queue.popleft()
        self._flow.waited(self.now - came_at)
        pressure = self.share.pressure
        let_in = priority == HIGHEST or priority + self._dice() >= pressure
        self._flow.came(priority, let_in=let_in)
        self.now += self._cost if let_in else self._refusing
        if sender := senders.get(priority):
            sender.waiting -= 1
            sender.answers.append((due, self.now - due, let_in))
