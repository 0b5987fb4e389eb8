"""Prepared requests, sent at a given rate whatever the answers take, and how long each took from when it was due."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SENDERS = 48
_SECONDS = 30.0
_ACCEPTED = "200"


@dataclass(frozen=True)
class Paced:
    """What came of it: answers by status, and the milliseconds from when each was due to its answer, sorted."""

    per_second: float
    statuses: Counter[str]
    ms: list[float]

    @property
    def accepted(self) -> int:
        """How many were stored, by their answers."""
        return self.statuses[_ACCEPTED]

    def percentile(self, percent: int) -> float:
        """Return the time that so many of a hundred answers stayed below."""
        return self.ms[min(len(self.ms) - 1, len(self.ms) * percent // 100)]


class Sending:
    """The requests of ``path``, each sent once by whichever sender is free when it is due."""

    def __init__(self, port: int, path: Path, *, per_second: float, seconds: float) -> None:
        self._port = port
        self._requests = list(_requests(path))[: int(per_second * seconds)]
        self._per_second = per_second
        self._ms: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._next = 0
        self._turn = threading.Lock()
        self._begun = 0.0

    def run(self) -> Paced:
        """Send all, and wait for the last answer."""
        senders = [threading.Thread(target=self._send) for _ in range(_SENDERS)]
        self._begun = time.perf_counter() + 0.2
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        return Paced(self._per_second, self._statuses, sorted(self._ms))

    def _send(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=_SECONDS) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (number := self._take()) is not None:
                due = self._begun + number / self._per_second
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.sendall(self._requests[number])
                answer = _answer(connection)
                taken = 1000 * (time.perf_counter() - due)
                with self._turn:
                    self._ms.append(taken)
                    self._statuses[answer[9:12].decode()] += 1

    def _take(self) -> int | None:
        with self._turn:
            if self._next >= len(self._requests):
                return None
            self._next += 1
            return self._next - 1


def _answer(connection: socket.socket) -> bytes:
    """Return the whole answer, which has to say its length."""
    got = b""
    while True:
        head, end, body = got.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            return got
        more = connection.recv(65_536)
        if not more:
            raise SystemExit("the hub has closed a connection in the middle of an answer")
        got += more


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise SystemExit("an answer does not say its length")


def _requests(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while head := file.read(10):
            yield file.read(int(head))
