"""The loop: look what is new, deliver it in order, remember it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from deliveries.listening.cursor import OVERLAP_MS, Cursor
from deliveries.listening.errors import NotToBeHad
from deliveries.listening.remote import Arrival, RemoteHub, uuid_ms
from deliveries.listening.targets import Answer, Target

#: How often the whole overlap is looked through for events that were committed late.
_DEEP_SECONDS = 15


@dataclass(frozen=True)
class Row:
    """A line of the table: what came, and what it was answered."""

    arrival: Arrival
    answer: Answer
    is_complete: bool = True
    is_resent: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the line for a program."""
        return {
            "event": str(self.arrival.id),
            "event_type": self.arrival.event_type,
            "event_id": self.arrival.event_id,
            "received_at": self.arrival.received_at.isoformat(),
            "delivered": self.answer.is_success,
            "answer": self.answer.text,
            "duration_ms": self.answer.duration_ms,
            "credentials": self.is_complete,
            "resent": self.is_resent,
        }


class Listener:
    """Delivers the events of ``hub`` to ``target``, the oldest first, each once; ``show`` is told of each.

    Raises what hub and target raise; what was not answered by then is delivered the next time.
    """

    def __init__(self, hub: RemoteHub, cursor: Cursor, target: Target, show: Callable[[Row], None]) -> None:
        self._hub = hub
        self._cursor = cursor
        self._target = target
        self._show = show
        self._deep_at = float("-inf")
        self._last: Arrival | None = None

    def begin(self, *, since_ms: int | None) -> None:
        """Choose where to begin, if the cursor does not say: ``since_ms`` (since 1970), or with what comes from now on.

        "Now" is the newest event, so that the clocks need not agree.
        """
        if self._cursor.newest_ms is not None:
            return
        pages = self._hub.newest_first()
        known = next(pages)
        if since_ms is None:
            since_ms = known[0].stored_ms if known else 0
        while known and known[-1].stored_ms >= since_ms - OVERLAP_MS and (page := next(pages, None)):
            known += page
        self._cursor.skip(known, up_to_ms=since_ms)

    def deliver_new(self) -> int:
        """Deliver what is new; return how many."""
        count = 0
        for arrival in self._new():
            if arrival.batch is not None and arrival.batch in self._cursor.seen:
                self._cursor.delivered(arrival)  # with the first of its batch
                continue
            self._deliver(arrival)
            self._cursor.delivered(arrival)
            count += 1
        return count

    def resend_last(self) -> bool:
        """Deliver once more what was delivered last; return whether there is one."""
        if self._last is None and self._cursor.last is not None:
            self._last = self._hub.event(self._cursor.last)
        if self._last is None:
            return False
        self._deliver(self._last, is_resent=True)
        return True

    def _deliver(self, arrival: Arrival, *, is_resent: bool = False) -> None:
        self._last = arrival
        try:
            original = self._hub.original(arrival.id)
        except NotToBeHad as exc:
            self._show(Row(arrival, Answer(False, str(exc), 0), is_complete=False, is_resent=is_resent))
            return
        answer = self._target.deliver(original)
        self._show(Row(arrival, answer, is_complete=original.is_complete, is_resent=is_resent))

    def _new(self) -> list[Arrival]:
        """Return what was not delivered, in the order in which it was stored."""
        deep = time.monotonic() - self._deep_at >= _DEEP_SECONDS
        found: dict[UUID, Arrival] = {}
        for page in self._hub.newest_first():
            new = {arrival.id: arrival for arrival in page if self._cursor.is_new(arrival)}
            found |= new
            if not page or uuid_ms(page[-1].id) < self._cursor.horizon_ms or not (new or deep):
                break
        if deep:
            self._deep_at = time.monotonic()
        return sorted(found.values(), key=lambda arrival: arrival.id)
