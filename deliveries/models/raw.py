"""PostgreSQL without Django in between, for the statements that a busy hub sends all the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from django.db import connections

from deliveries.models import prepared
from deliveries.models.prepared import Row, Sent


@contextmanager
def raw_cursor(using: str) -> Iterator[Any]:
    """Yield a cursor of psycopg's own on Django's connection; its parameters go to the server as they are.

    Django's cursor writes them into the text of the statement, in Python, which costs more than the statement itself.
    Errors are Django's all the same.
    """
    import psycopg  # only where PostgreSQL is in use

    wrapper = connections[using]
    wrapper.ensure_connection()
    with wrapper.wrap_database_errors, psycopg.Cursor(wrapper.connection) as cursor:
        yield cursor


def takes_pipelines() -> bool:
    """Return whether this machine's libpq sends several statements in one round trip."""
    import psycopg

    return bool(psycopg.Pipeline.is_supported())


def row_of_last(statements: Sent, *, using: str) -> Row:
    """Run ``statements`` in one round trip, outside of a transaction as one of their own; return the last one's row.

    The server parses and plans each once for a connection, where that is the hub's own: a pooler between the two, of
    which ``DISABLE_SERVER_SIDE_CURSORS`` tells, may hand it on. Unlike those of `raw_cursor` they are in the log of
    statements, and whoever has wrapped their execution sees them. Errors are Django's.
    """
    wrapper: Any = connections[using]
    wrapper.close_if_health_check_failed()
    wrapper.ensure_connection()
    raw = wrapper.connection
    is_watched = wrapper.queries_logged or wrapper.execute_wrappers
    with wrapper.wrap_database_errors:
        if is_watched or wrapper.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS") or not prepared.is_takeable(raw):
            return _by_cursors(wrapper, statements)
        wrapper.validate_no_broken_transaction()
        return prepared.row_of_last(raw, statements)


def _by_cursors(wrapper: Any, statements: Sent) -> Row:
    """Return the last one's row, by cursors of psycopg's that Django has wrapped."""
    import psycopg

    raw = wrapper.connection
    with ExitStack() as stack:
        cursors = [stack.enter_context(wrapper._prepare_cursor(psycopg.Cursor(raw))) for _ in statements]
        with raw.pipeline() if len(statements) > 1 else nullcontext():
            for cursor, (statement, values) in zip(cursors, statements, strict=True):
                cursor.execute(statement.text, values)
        return tuple(cursors[-1].fetchone())
