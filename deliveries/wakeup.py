"""The hint that a delivery is due: it saves the workers the wait for their next look, and may be lost."""

from __future__ import annotations

import time

import structlog
from django.db import Error, connections, transaction

logger = structlog.get_logger(__name__)

#: PostgreSQL's channel.
CHANNEL = "hub_due"
#: A notification takes a lock that all commits share, and a transaction of its own, so a process sends no more; who has
#: heard it looks once more when that time is over (`deliveries.execution.broker.ECHO_SECONDS`).
EVERY_SECONDS = 0.02


class _Last:
    at = float("-inf")


def hint_on_commit(*, using: str) -> None:
    """Tell the workers, once the present transaction is committed, that something may be due.

    Never in the transaction: its commit would wait for all others that notify. Raises nothing after the commit.
    """
    if connections[using].vendor == "postgresql":
        transaction.on_commit(lambda: _hint(using), using=using, robust=True)


def _hint(using: str) -> None:
    if time.monotonic() < _Last.at + EVERY_SECONDS:
        return
    _Last.at = time.monotonic()
    try:
        with connections[using].cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
    except Error as exc:
        logger.debug("wakeup.failed", error_type=type(exc).__name__)
