"""Errors that nobody expected, told to whoever collects them; without a collector nothing happens here."""

from __future__ import annotations

from typing import Protocol

from integrations.errors import HubError

#: How long the end of a process waits for what has not been sent yet.
FLUSH_SECONDS = 2.0


class Collector(Protocol):
    """Who collects."""

    def capture(self, error: BaseException) -> None:
        """Take ``error``, with what this thread's log lines carry. It neither waits nor raises."""

    def flush(self, seconds: float) -> None:
        """Send what there is, for ``seconds`` at most."""


_collector: Collector | None = None


def install(collector: Collector | None) -> None:
    """Let ``collector`` collect from now on; None: nobody."""
    global _collector
    _collector = collector


def handler_failed(error: BaseException) -> None:
    """Tell of what a handler raised, unless it is a way of saying something to the hub: a retry, a dead letter."""
    if _collector is not None and isinstance(error, Exception) and not isinstance(error, HubError):
        _collector.capture(error)


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """Send what there is, for ``seconds`` at most."""
    if _collector is not None:
        _collector.flush(seconds)
