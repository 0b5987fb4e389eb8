"""Runs of an outside system that serve many deliveries: what workers have to agree on to have few of them begin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True)
class Begun:
    """A run that a worker had begun: asked for ``at`` that moment at the earliest, and newer than the run ``after``."""

    after: int
    at: datetime


class Runs(Protocol):
    """What all workers share about runs of one connection; ``what`` says of which."""

    def last(self, what: str) -> Begun | None:
        """Return the run that was begun last, None if none was."""

    def alone(self, what: str, *, lease: timedelta) -> AbstractContextManager[None]:
        """Keep others from beginning a run for as long as this goes on, ``lease`` at most; raises `StillRunning`."""

    def begun(self, what: str, run: Begun) -> None:
        """Tell the others of a run; only within `alone`."""


class LonelyRuns:
    """The `Runs` of a client that shares nothing with others."""

    def __init__(self) -> None:
        self._begun: dict[str, Begun] = {}

    def last(self, what: str) -> Begun | None:
        """Return what this client itself had begun."""
        return self._begun.get(what)

    @contextmanager
    def alone(self, what: str, *, lease: timedelta) -> Iterator[None]:
        """Let it go on: there are no others."""
        yield

    def begun(self, what: str, run: Begun) -> None:
        """Keep it in memory."""
        self._begun[what] = run
