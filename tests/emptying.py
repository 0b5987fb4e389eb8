"""Empty the test database after a test that commits: only what has rows, and without making permissions anew.

Django truncates every table of PostgreSQL, a new file for each of its indexes, and then sends ``post_migrate``; that
takes a quarter of a second, hundreds of times.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connections, transaction
from django.test import TransactionTestCase

#: What migrations have written and no test changes.
_KEPT = {"django_migrations", "django_content_type", "auth_permission"}
#: Deleted rows stay in their pages until a vacuum: a table of that many bytes is truncated.
_LARGE = 1_000_000

_POSTGRESQL = """
    DO $$
    DECLARE
        name text;
        filled boolean;
    BEGIN
        FOREACH name IN ARRAY string_to_array('{tables}', ' ') LOOP
            IF pg_relation_size(quote_ident(name)) > {large} THEN
                EXECUTE format('TRUNCATE %I CASCADE', name);
            END IF;
        END LOOP;
        FOREACH name IN ARRAY string_to_array('{tables}', ' ') LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
            IF filled THEN
                EXECUTE format('DELETE FROM %I', name);
            END IF;
        END LOOP;
    END $$
"""


def empty(using: str) -> None:
    """Remove all rows of the database but those of `_KEPT`; foreign keys are looked at when all are gone."""
    connection = connections[using]
    tables = _tables(using, connection.settings_dict["NAME"])
    with transaction.atomic(using), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL.format(tables=" ".join(tables), large=_LARGE))
            return
        for table in tables:
            cursor.execute(f'DELETE FROM "{table}"')


@cache
def _tables(using: str, _database: str) -> tuple[str, ...]:
    names = connections[using].introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(name for name in names if name not in _KEPT)


def _empty_after(case: TransactionTestCase) -> None:
    for using in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        empty(using)


def replace_flush() -> None:
    """Have every `TransactionTestCase` end with `empty`."""
    case: Any = TransactionTestCase
    case._fixture_teardown = _empty_after
