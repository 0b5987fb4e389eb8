"""gunicorn's threaded worker, with an end to how long a sender may take, and an eye on how long requests wait."""

from __future__ import annotations

import selectors
import socket
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from django.conf import settings
from gunicorn.workers.gthread import ThreadWorker

from deliveries.overload.flow import flow
from deliveries.overload.turns import Turns
from deliveries.receiving.deadlines import reading_deadlines

_LONGEST_HEAD_SECONDS = 10
#: On top of what the hub itself waits for a body, so that its answer comes first where it has one.
_MARGIN_SECONDS = 5
#: As far as a request is looked at before its turn: the slug of an endpoint has up to 100 characters.
_FIRST_BYTES = 128


class Worker(ThreadWorker):  # type: ignore[misc]
    """Cuts off who sends its head, or any body, a byte in a while: each such connection would hold a thread for ever.

    gunicorn itself waits without end once the first byte has come, and Django as long for the body of a login. While
    all threads are busy, requests for endpoints of the highest priority have their turn before the others.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turns: Turns[Any] = Turns()
        self._under_way = 0

    def init_process(self) -> None:
        """Serve, with a thread beside that writes the statistics; returns when the worker ends."""
        from deliveries.overload.gate import is_urgent  # gunicorn loads this module before Django is set up
        from deliveries.stats import writing

        self._is_urgent = is_urgent
        writing.start()
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Let the connection wait for a thread; one that has sent nothing yet waits for its first byte without one."""
        first_bytes: bytes | None = b""
        if not conn.initialized or self._under_way >= self.cfg.threads:
            first_bytes = self._first_bytes(conn)
        if first_bytes is None:
            self._let_wait(conn)
            return
        conn.data_ready = True
        conn.waits_since = time.monotonic()
        self._under_way += 1
        self._turns.add(conn, is_urgent=self._is_urgent(first_bytes))
        self.tpool.submit(self._take_turn)

    def _first_bytes(self, conn: Any) -> bytes | None:
        """Return how the next request begins, b"" if that cannot be known; None if it has yet to come."""
        if self.cfg.is_ssl and conn.initialized:
            return b""
        try:
            found: bytes = conn.sock.recv(_FIRST_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:  # of a known connection, what comes next has been read already
            return b"" if conn.initialized or conn.data_ready else None
        except OSError:
            return b""  # who reads it will see
        return found

    def _let_wait(self, conn: Any) -> None:
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _take_turn(self) -> None:
        conn, is_urgent = self._turns.take()
        flow.waited(time.monotonic() - conn.waits_since, is_urgent=is_urgent)
        done: Future[Any] = Future()
        try:
            done.set_result(self.handle(conn))
        except BaseException as exc:  # raised again where the result is asked for
            done.set_exception(exc)
        self.method_queue.defer(self.finish_request, conn, done)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Close the connection, or let it wait for its next request."""
        self._under_way -= 1
        super().finish_request(conn, fs)

    def handle(self, conn: Any) -> Any:
        """Read and answer one request; the head has to come first, and soon."""
        with reading_deadlines.over(conn.sock, min(_LONGEST_HEAD_SECONDS, settings.HUB_BODY_SECONDS)) as conn.reading:
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head is there; the time for its body begins."""
        conn.reading.extend(settings.HUB_BODY_SECONDS + _MARGIN_SECONDS)
        return super().handle_request(req, conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait no longer than that for those who have sent nothing yet, either; the worker is to stop."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
