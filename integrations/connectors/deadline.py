"""One deadline over a whole exchange: however slowly the other side drips, each wait gets only what is left."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer

import httpcore


class Deadline:
    """A moment ``seconds`` from now, by the monotonic ``clock``."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds

    def within(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
        """Return the seconds that a wait may take: ``timeout`` or what is left; raises ``error`` if nothing is."""
        left = self._ends_at - self._clock()
        if left <= 0:
            raise error("the time is up")
        return left if timeout is None else min(timeout, left)


class DeadlineStream(httpcore.NetworkStream):
    """A connection that ends with ``deadline``. httpcore's own timeouts start anew with every byte that moves."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has arrived, up to ``max_bytes``; b"" if the other side has closed."""
        return self._stream.read(max_bytes, self._deadline.within(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``; asks for the time left before each part that the other side takes."""
        sock = self._stream.get_extra_info("socket")
        rest = memoryview(buffer)
        while rest:
            try:
                sock.settimeout(self._deadline.within(timeout, httpcore.WriteTimeout))
                rest = rest[sock.send(rest) :]
            except TimeoutError as exc:
                raise httpcore.WriteTimeout("the other side takes nothing") from exc
            except OSError as exc:
                raise httpcore.WriteError(str(exc)) from exc

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the encrypted connection; the other side has to prove that it is ``server_hostname``."""
        left = self._deadline.within(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def close(self) -> None:
        """Close the connection without waiting for the other side."""
        self._stream.close()

    def get_extra_info(self, info: str) -> object:
        """Return what httpcore asks of its own streams (``ssl_object``, ``is_readable``, ...)."""
        return self._stream.get_extra_info(info)


@contextmanager
def cut_off(fileno: int, seconds: float) -> Iterator[None]:
    """Break the connection ``fileno`` off after ``seconds``, whoever waits for it and however slowly it drips."""
    with socket.socket(fileno=os.dup(fileno)) as own:

        def shut() -> None:
            with suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)

        timer = Timer(max(0.0, seconds), shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
