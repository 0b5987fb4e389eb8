"""gunicorn's threaded worker, with an end to how long a sender may take, and an eye on how long requests wait."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from gunicorn.workers.gthread import ThreadWorker

from deliveries.overload.flow import flow
from deliveries.receiving.deadlines import reading_deadlines

_LONGEST_HEAD_SECONDS = 10
#: On top of what the hub itself waits for a body, so that its answer comes first where it has one.
_MARGIN_SECONDS = 5


class Worker(ThreadWorker):  # type: ignore[misc]
    """Cuts off who sends its head, or any body, a byte in a while: each such connection would hold a thread for ever.

    gunicorn itself waits without end once the first byte has come, and Django as long for the body of a login.
    """

    def init_process(self) -> None:
        """Serve, with a thread beside that writes the statistics; returns when the worker ends."""
        from deliveries.stats import writing  # gunicorn loads this module before Django is set up

        writing.start()
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Let the connection wait for a thread."""
        conn.waits_since = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Read and answer one request; the head has to come first, and soon."""
        flow.waited(time.monotonic() - conn.waits_since)
        with reading_deadlines.over(conn.sock, min(_LONGEST_HEAD_SECONDS, settings.HUB_BODY_SECONDS)) as conn.reading:
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head is there; the time for its body begins."""
        conn.reading.extend(settings.HUB_BODY_SECONDS + _MARGIN_SECONDS)
        return super().handle_request(req, conn)
