"""Whether a kept connection still works, without a question to the database for every request."""

from __future__ import annotations

import select
from typing import Any

from django.core.signals import request_started
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

_NOW = 0
UID = "deliveries.database_health"


def watch() -> None:
    """Look at each request's beginning; after Django has said that its connections are to be checked."""
    request_started.connect(_trust_the_quiet, dispatch_uid=UID)


def _trust_the_quiet(**_: Any) -> None:
    """Take a connection for alive on which nothing has come; Django asks the database on every other.

    A server that has ended, or has ended the connection, closes it, and that is there to be read. Django's own check
    is a statement and its answer for each request; what goes without a trace, such as a network, holds up either.
    """
    for connection in connections.all(initialized_only=True):
        trust_if_quiet(connection)


def trust_if_quiet(connection: BaseDatabaseWrapper) -> None:
    """Do so with one connection."""
    raw = connection.connection
    if connection.vendor == "postgresql" and raw is not None and not raw.closed and _is_quiet(raw.fileno()):
        connection.health_check_done = True  # type: ignore[attr-defined]


def _is_quiet(descriptor: int) -> bool:
    poll = select.poll()  # unlike select.select it takes descriptors over 1023
    poll.register(descriptor, select.POLLIN)
    return not poll.poll(_NOW)
