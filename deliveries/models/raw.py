"""PostgreSQL without Django in between, for the statements that a busy hub sends all the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
