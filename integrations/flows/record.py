"""What is kept of the steps of a flow, between the attempts of its delivery."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

# As `integrations.contracts.Json`, which leads here.
Json = Any


class Emitted(NamedTuple):
    """An event that a step has emitted; ``endpoint`` "" is the event's own."""

    event_type: str
    payload: Json
    endpoint: str


@dataclass(frozen=True)
class Kept:
    """What a step that is over has left: its output, and the events to be stored when the delivery succeeds.

    One that was ``skipped`` has neither.
    """

    output: Json = None
    emitted: tuple[Emitted, ...] = ()
    skipped: bool = False


@dataclass(frozen=True)
class Begun:
    """A step that is about to run, or to be skipped: ``position`` counts from 0, ``input`` is its resolved config."""

    name: str
    position: int
    handler: str
    condition: str
    input: Json


class FlowRecord(Protocol):
    """Where a flow keeps its steps: the database, or a test's memory."""

    def over(self) -> Mapping[str, Kept]:
        """Return the steps that are over, by name."""

    def begin(self, step: Begun) -> int | Kept:
        """Note that a step begins; return the number of its try, or what somebody else has meanwhile made of it.

        Raises `AttemptLost` where another worker has taken the delivery over.
        """

    def end(self, name: str, kept: Kept) -> Kept:
        """Keep what the step has left, at once, and return what is kept: of two the first to come wins.

        Raises `TypeError` where that is not JSON, `ValueError` where it is too large.
        """

    def fail(self, name: str, text: str, *, spent: bool) -> None:
        """Note that the step has failed; its try counts if it is ``spent``."""


@dataclass
class MemoryRecord:
    """A `FlowRecord` for as long as somebody holds it: nothing else runs the flow."""

    kept: dict[str, Kept] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    inputs: dict[str, Json] = field(default_factory=dict)

    def over(self) -> Mapping[str, Kept]:
        """Return the steps that are over, by name."""
        return dict(self.kept)

    def begin(self, step: Begun) -> int | Kept:
        """Return the number of the try."""
        self.inputs[step.name] = step.input
        self.tries[step.name] = self.tries.get(step.name, 0) + 1
        return self.tries[step.name]

    def end(self, name: str, kept: Kept) -> Kept:
        """Keep what the step has left; raises `TypeError` where that is not JSON."""
        output, emitted = json.loads(json.dumps([kept.output, kept.emitted], allow_nan=False))
        self.kept[name] = Kept(output, tuple(Emitted(*each) for each in emitted), kept.skipped)
        return self.kept[name]

    def fail(self, name: str, text: str, *, spent: bool) -> None:
        """Note the failure."""
        self.failures.append((name, text))
        self.tries[name] -= 0 if spent else 1
