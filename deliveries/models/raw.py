"""PostgreSQL without Django in between, for the statements that a busy hub sends all the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from django.db import connections


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


def row_of_last(statements: Sequence[tuple[str, Sequence[Any]]], *, using: str) -> Any:
    """Run ``statements`` in one round trip, outside of a transaction as one of their own; return the last one's row.

    The server parses and plans each once for a connection, where that is the hub's own: a pooler between the two, of
    which ``DISABLE_SERVER_SIDE_CURSORS`` tells, may hand it on. Unlike those of `raw_cursor` they are in the log of
    statements. Errors are Django's.
    """
    import psycopg

    wrapper: Any = connections[using]
    wrapper.close_if_health_check_failed()
    wrapper.ensure_connection()
    raw = wrapper.connection
    with wrapper.wrap_database_errors, ExitStack() as stack:
        cursors = [stack.enter_context(wrapper._prepare_cursor(psycopg.Cursor(raw))) for _ in statements]
        # Of what was prepared psycopg does not know the text any more, which the log wants.
        prepares = not (wrapper.queries_logged or wrapper.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"))
        raw.prepare_threshold = 0 if prepares else None
        try:
            with raw.pipeline() if len(statements) > 1 else nullcontext():
                for cursor, (statement, values) in zip(cursors, statements, strict=True):
                    cursor.execute(statement, values)
        finally:
            raw.prepare_threshold = None
        return cursors[-1].fetchone()
