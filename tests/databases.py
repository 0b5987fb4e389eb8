"""A database of its own for a test that starts the hub's real processes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


@contextmanager
def fresh_database(folder: Path) -> Iterator[str]:
    """Yield the ``DATABASE_URL`` of an empty database, of the kind that this test run is about."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        yield f"sqlite:///{folder / 'journey.sqlite3'}"
        return
    name = f"journey_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    address, _, options = server.partition("?")
    try:
        yield f"{address.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
