"""How far a listener has come, in a file: a laptop that slept, or was restarted, goes on where it was."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from deliveries.listening.errors import HubRefuses
from deliveries.listening.remote import Arrival, uuid_ms

#: An event's row is made a moment before it is committed, and several machines' clocks differ: what is as old as that,
#: and was not seen, is new.
OVERLAP_MS = 60_000


@dataclass
class Cursor:
    """The newest event that was delivered, and all that were seen within `OVERLAP_MS` before it.

    ``newest_ms`` is None before the first look. ``last`` is the event that was delivered last.
    """

    path: Path
    newest_ms: int | None = None
    seen: set[UUID] = field(default_factory=set)
    last: UUID | None = None

    @property
    def horizon_ms(self) -> int:
        """What was stored before is known."""
        return (self.newest_ms or 0) - OVERLAP_MS

    def is_new(self, arrival: Arrival) -> bool:
        """Return whether ``arrival`` has not been delivered."""
        return arrival.stored_ms >= self.horizon_ms and arrival.id not in self.seen

    def skip(self, arrivals: Iterable[Arrival], *, up_to_ms: int) -> None:
        """Begin at ``up_to_ms``; the ``arrivals`` that were stored before are not to be delivered."""
        self.newest_ms = up_to_ms
        for arrival in arrivals:
            if arrival.stored_ms <= up_to_ms:
                self._see(arrival)
        self.save()

    def delivered(self, arrival: Arrival) -> None:
        """Note that ``arrival`` was answered; part of a batch stands for the whole."""
        self.newest_ms = max(self.newest_ms or 0, arrival.stored_ms)
        self._see(arrival)
        self.last = arrival.id
        self.seen = {known for known in self.seen if uuid_ms(known) >= self.horizon_ms}
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        content = {
            "newest_ms": self.newest_ms,
            "seen": sorted(map(str, self.seen)),
            "last": self.last and str(self.last),
        }
        new = self.path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def _see(self, arrival: Arrival) -> None:
        self.seen |= {arrival.id, arrival.batch} if arrival.batch else {arrival.id}


def place(folder: Path, *names: str) -> Path:
    """Return the file in ``folder`` for a listener that is told apart by ``names``."""
    return folder / f"{hashlib.sha256(chr(0).join(names).encode()).hexdigest()[:16]}.json"


@contextmanager
def kept(path: Path) -> Iterator[Cursor]:
    """Yield the cursor of ``path``, for this process alone; raises `HubRefuses` if another listener has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HubRefuses("another listener does the same already; end it, or give this one a --cursor") from None
        yield _read(path)


def _read(path: Path) -> Cursor:
    if not path.exists():
        return Cursor(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Cursor(
            path,
            newest_ms=content["newest_ms"],
            seen={UUID(known) for known in content["seen"]},
            last=UUID(content["last"]) if content["last"] else None,
        )
    except (ValueError, KeyError, TypeError):
        raise HubRefuses(f"{path} is no cursor; remove it to begin anew") from None
