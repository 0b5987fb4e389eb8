"""Errors by Sentry's protocol. Imported only where they are wanted: the package is an extra.

What goes out is made here, of names that are listed here: the kinds of the errors, where in the code they arose, the
ids that log lines have, and those of the span in which they arose. No text of an error (it can quote a payload), no
request, no local variable, no text of a log line.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.util import Finalize
from typing import Any, cast

import sentry_sdk
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import event_from_exception
from structlog.contextvars import get_contextvars

from deliveries.error_reports import FLUSH_SECONDS
from integrations import tracing

#: The fields of log lines that become tags.
TAGS = (
    *("request_id", "trace_id", "event_uuid", "delivery", "endpoint", "route", "handler", "attempt", "worker"),
    *("error_type", "schedule", "rule", "check"),
)
_OF_EVENT = ("event_id", "timestamp", "platform", "level", "logger", "transaction", "release", "environment", "sdk")
_OF_FRAME = ("filename", "abs_path", "module", "function", "lineno", "context_line", "pre_context", "post_context")
_TAG_CHARACTERS = 200
#: Loggers whose lines do not go up to the root: workers' and the web server's own.
_BY_THEMSELVES = ("django-q", "gunicorn.error")
#: Under this name the trace of a report goes beside it: an SDK makes one up where a report has none.
_TRACE = "hub_trace"
# That something could not be told is not told: it would go round in a circle.
_OF_TELLING = ("sentry_sdk", "opentelemetry", "urllib3")


def scrubbed(event: Mapping[str, Any], hint: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return of ``event`` what may leave the hub; all else that an SDK may think of stays here."""
    kept = {name: event[name] for name in _OF_EVENT if name in event}
    tags = event.get("tags") or {}
    kept["tags"] = {name: str(tags[name])[:_TAG_CHARACTERS] for name in (*TAGS, "log_event") if name in tags}
    if "log_event" in tags:
        kept["message"] = str(tags["log_event"])[:_TAG_CHARACTERS]
    errors = (event.get("exception") or {}).get("values") or []
    if errors:
        kept["exception"] = {"values": [_error(error) for error in errors]}
    if trace := (hint or {}).get(_TRACE):
        kept["contexts"] = {"trace": {name: trace[name] for name in ("trace_id", "span_id")}}
    return kept


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames") or []
    kept: dict[str, Any] = {name: error.get(name) for name in ("type", "module")}
    kept["stacktrace"] = {
        "frames": [{name: frame[name] for name in (*_OF_FRAME, "in_app") if name in frame} for frame in frames]
    }
    return kept


class SentryCollector(logging.Handler):
    """Sends what log lines of the level ERROR say, and what it is given; in the background, from a bounded queue."""

    def __init__(self, dsn: str, *, release: str, environment: str) -> None:
        super().__init__(logging.ERROR)
        self._options: dict[str, Any] = {"dsn": dsn, "release": release, "environment": environment}
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._begun = self._in_vain = False
        self._beginning = threading.RLock()

    def _begin(self) -> None:
        """Make the client of this process: in the copy of one that waits, the first report would wait for a second."""
        with self._beginning:
            if self._begun:
                return
            self._init()
            Finalize(None, self.flush, exitpriority=1)  # at the end of a fork nothing else is run
            self._begun = True

    def _init(self) -> None:
        sentry_sdk.init(
            **self._options,
            server_name="",
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            auto_session_tracking=False,
            spotlight=False,
            shutdown_timeout=FLUSH_SECONDS,
            before_send=cast(Any, scrubbed),
        )

    def attach(self) -> None:
        """Listen to all loggers, those too that keep their lines to themselves."""
        for name in ("", *_BY_THEMSELVES):
            logging.getLogger(name).addHandler(self)

    def detach(self) -> None:
        """Listen to none any more."""
        for name in ("", *_BY_THEMSELVES):
            logging.getLogger(name).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one log line: its event's name, its ids and its error."""
        if record.name.startswith(_OF_TELLING):
            return
        message: Any = record.msg  # structlog's own is the dictionary of its fields
        fields = message if isinstance(message, dict) else {}
        # Of other people's lines the name of the logger: their text can hold anything.
        name = str(fields.get("event") or record.name)
        info = record.exc_info or fields.get("exc_info")
        if info is True:
            info = sys.exc_info()
        error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else None
        self._send(error, {**get_contextvars(), **fields}, level=record.levelname.lower(), log_event=name)

    def capture(self, error: BaseException) -> None:
        """Send what a handler raised."""
        self._send(error, get_contextvars(), level="error", log_event="handler.failed")

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Send what there is, for ``seconds`` at most; nobody waits twice in vain."""
        if self._begun and not self._in_vain:
            began = time.monotonic()
            sentry_sdk.flush(timeout=seconds)
            self._in_vain = time.monotonic() - began >= seconds

    def _send(self, error: BaseException | None, fields: Mapping[str, Any], *, level: str, log_event: str) -> None:
        if not self._begun:
            self._begin()
        event: dict[str, Any] = {}
        if error is not None:
            options = sentry_sdk.get_client().options
            found, _ = event_from_exception((type(error), error, error.__traceback__), client_options=options)
            event = dict(found)
        tags = {name: fields[name] for name in TAGS if name in fields}
        event |= {"level": level, "tags": {**tags, "log_event": log_event}}
        sentry_sdk.capture_event(cast(Any, event), hint={_TRACE: _span_of(tracing.traceparent())})


def _span_of(traceparent: str) -> dict[str, str]:
    """Return the ids in a W3C ``traceparent``; none where there is none."""
    return {"trace_id": traceparent[3:35], "span_id": traceparent[36:52]} if traceparent else {}


def ask(address: str, *, dsn: str, seconds: float) -> int:
    """Return the status that ``address`` answers, asked as reports to ``dsn`` are sent. Raises urllib3's errors.

    That is by the same proxy of the environment, and with the same trust in certificates.
    """
    client = sentry_sdk.Client(
        dsn=dsn,
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        spotlight=False,
    )
    try:
        transport = cast(HttpTransport, client.transport)
        # The SDK's own pool: it has no other way to ask than by a report.
        reply = transport._pool.request("GET", address, redirect=False, retries=False, timeout=seconds)
        return int(reply.status)
    finally:
        client.close(timeout=0)
