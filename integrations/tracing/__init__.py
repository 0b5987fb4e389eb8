"""Traces, where they are wanted: what the hub tells of its work to whoever collects them.

Without a tracer, which is the usual case, each of these functions looks at one name and does nothing. What is told is
when, how long, which rows and how it ended: never a body, a header, a path or the text of an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    import httpx

#: How long the end of a process waits for what has not been sent yet.
FLUSH_SECONDS = 2.0

Value = str | int | float | bool


@dataclass(frozen=True)
class Work:
    """One attempt. ``traceparent`` is that of the event's receipt, "" if it had none: then the event is the trace."""

    traceparent: str
    event_id: UUID
    delivery_id: UUID
    number: int


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: ``outcome`` as on record, ``error_type`` "" if there was none, times in ns since 1970."""

    name: str
    outcome: str
    error_type: str
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, Value]


class Span(Protocol):
    """What goes on, while it does."""

    def note(self, **attributes: Value) -> None:
        """Add attributes, by names in which a dot is written as two underscores."""

    def answered(self, status: int) -> None:
        """Say with what HTTP status it ended; one of an error makes it one."""

    def failed(self, error_type: str) -> None:
        """Say that it did not end well; ``error_type`` is from a closed set, or the name of a class."""


class Tracer(Protocol):
    """Who collects."""

    def receipt(self, traceparent: str, *, name: str) -> AbstractContextManager[Span]:
        """Open the span of a request that comes in, within the sender's trace if ``traceparent`` is one."""

    def call(self, request: httpx.Request) -> AbstractContextManager[Span]:
        """Open the span of an outgoing call, and put its ``traceparent`` on ``request``."""

    def within(self, work: Work) -> AbstractContextManager[None]:
        """Let what happens in the block belong to the attempt, whose own span comes with `ended`."""

    def ended(self, work: Work, ended: Ended) -> None:
        """Tell of an attempt that is over, from whichever process."""

    def traceparent(self) -> str:
        """Return the W3C ``traceparent`` of what goes on in this thread; "" if nothing does."""

    def flush(self, seconds: float) -> None:
        """Send what there is, for ``seconds`` at most."""


class _NoSpan:
    def note(self, **attributes: Value) -> None:
        """Do nothing."""

    def answered(self, status: int) -> None:
        """Do nothing."""

    def failed(self, error_type: str) -> None:
        """Do nothing."""


_NOTHING = nullcontext(_NoSpan())
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Let ``tracer`` collect from now on; None: nobody."""
    global _tracer
    _tracer = tracer


@contextmanager
def collected_by(tracer: Tracer | None) -> Iterator[None]:
    """Let ``tracer`` collect within the block."""
    before = _tracer
    install(tracer)
    try:
        yield
    finally:
        install(before)


def is_on() -> bool:
    """Return whether anybody collects."""
    return _tracer is not None


def receipt(traceparent: str, *, name: str = "POST /hooks") -> AbstractContextManager[Span]:
    """`Tracer.receipt`."""
    return _NOTHING if _tracer is None else _tracer.receipt(traceparent, name=name)


def call(request: httpx.Request) -> AbstractContextManager[Span]:
    """`Tracer.call`; of a call that belongs to nothing, such as one of a command, nothing is told."""
    return _NOTHING if _tracer is None or not _tracer.traceparent() else _tracer.call(request)


def within(work: Work) -> AbstractContextManager[object]:
    """`Tracer.within`."""
    return _NOTHING if _tracer is None else _tracer.within(work)


def ended(work: Work, how: Ended) -> None:
    """`Tracer.ended`."""
    if _tracer is not None:
        _tracer.ended(work, how)


def traceparent() -> str:
    """`Tracer.traceparent`; "" too if nobody collects."""
    return "" if _tracer is None else _tracer.traceparent()


def trace_id() -> str:
    """Return the id of the trace of what goes on in this thread, 32 hexadecimal digits; "" if there is none."""
    return traceparent()[3:35]


def trace_id_of(traceparent: str, event_id: UUID) -> str:
    """Return the id of the trace of an event whose receipt had ``traceparent``; "" where there is none.

    One that came without is a trace of its own, under its own id, where anybody collects.
    """
    return traceparent[3:35] or ("" if _tracer is None else event_id.hex)


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """`Tracer.flush`."""
    if _tracer is not None:
        _tracer.flush(seconds)
