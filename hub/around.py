"""What Django's signals at the beginning and the end of a request do, for webhooks: with one look at the connections.

Each of those who listen looks for the open connections by itself. Where anybody else listens, the signals are sent.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from functools import partial
from typing import Any

from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, reset_queries
from django.http import HttpResponse

from deliveries import database_health
from deliveries.receiving.tally import UID as TALLY
from deliveries.receiving.tally import tally

_OF_ANY_SENDER = id(None)


def _key(listener: Hashable) -> tuple[Hashable, int]:
    """Return under what a signal knows ``listener``, a function or the name that it gave itself."""
    return (listener if isinstance(listener, str) else id(listener)), _OF_ANY_SENDER


_AT_BEGINNING = {_key(reset_queries), _key(close_old_connections), _key(database_health.UID)}
_AT_END = {_key(close_caches), _key(close_old_connections), _key(reset_urlconf), _key(TALLY)}


def begin(sender: type, environ: dict[str, Any]) -> None:
    """Begin a request."""
    if {listener[0] for listener in request_started.receivers} != _AT_BEGINNING:
        request_started.send(sender=sender, environ=environ)
        return
    for connection in connections.all(initialized_only=True):
        connection.queries_log.clear()
        connection.close_if_unusable_or_obsolete()
        database_health.trust_if_quiet(connection)


def end_with(response: HttpResponse) -> None:
    """Let the request end once the server closes ``response``."""
    response.close = partial(_end, response)  # type: ignore[method-assign]


def _end(response: HttpResponse) -> None:
    if {listener[0] for listener in request_finished.receivers} != _AT_END:
        HttpResponse.close(response)
        return
    for close in response._resource_closers:  # type: ignore[attr-defined]
        with suppress(Exception):  # as Django does: the answer has gone out
            close()
    response.closed = True
    close_caches()
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
    tally.flush_if_due()
