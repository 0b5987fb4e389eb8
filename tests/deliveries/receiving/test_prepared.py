"""Statements that go past psycopg: what it would have done, PostgreSQL alone knows."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.test import TestCase, TransactionTestCase

from deliveries.models import pause_lock
from deliveries.models.prepared import Statement
from deliveries.models.raw import row_of_last
from tests.deliveries.receiving.cases import cut_connection

_ID = uuid.UUID(int=7)
_MOMENT = datetime(2026, 5, 1, 12, 30, 15, 250, tzinfo=UTC)

#: A value of each type, as Python has it, and as PostgreSQL writes it.
VALUES: tuple[tuple[str, Any, str], ...] = (
    ("text", "a'b\\ü\n", "E'a''b\\\\ü\\n'"),
    ("varchar(9)", "", "''"),
    ("uuid", _ID, f"'{_ID}'::uuid"),
    ("bytea", b"\x00\xff'", "'\\x00ff27'::bytea"),
    ("jsonb", '{"a": ["\\u0007"]}', '\'{"a": ["\\u0007"]}\'::jsonb'),
    ("boolean", True, "true"),
    ("smallint", -3, "-3"),
    ("integer", 70000, "70000"),
    ("bigint", 2**40, "1099511627776"),
    ("timestamp with time zone", _MOMENT, "'2026-05-01 12:30:15.00025+00'::timestamptz"),
    ("uuid[]", [_ID, _ID], f"ARRAY['{_ID}', '{_ID}']::uuid[]"),
    ("uuid[]", [], "'{}'::uuid[]"),
)


def ask(text: str, types: Sequence[str] = (), values: Sequence[Any] = ()) -> tuple[bool, ...]:
    return row_of_last([(Statement(text, types), values)], using="default")


class OnPostgres:
    def setUp(self) -> None:
        if connection.vendor != "postgresql":
            raise pytest.skip.Exception("statements are prepared on PostgreSQL alone")
        super().setUp()  # type: ignore[misc]


@pytest.mark.stricter_database
class AValueTests(OnPostgres, TestCase):
    def test_arrives_as_what_it_is(self) -> None:
        for name, value, literal in VALUES:
            with self.subTest(type=name, value=value):
                self.assertEqual(ask(f"SELECT %s = {literal.replace('%', '%%')}", [name], [value]), (True,))

    def test_that_is_none_arrives_as_null(self) -> None:
        for name in {name for name, *_ in VALUES}:
            self.assertEqual(ask("SELECT %s IS NULL, 10 %% 3 = 1", [name], [None]), (True, True))


@pytest.mark.stricter_database
class AStatementTests(OnPostgres, TransactionTestCase):
    def setUp(self) -> None:
        super().setUp()
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS one_statement (word text PRIMARY KEY, CHECK (word <> 'bad'))")
        self.addCleanup(self.drop)

    def drop(self) -> None:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE one_statement")

    def add(self, *words: str) -> None:
        keep = Statement("INSERT INTO one_statement VALUES (%s) RETURNING true", ["text"])
        row_of_last([(keep, [word]) for word in words], using="default")

    def words(self) -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT word FROM one_statement")
            return {word for (word,) in cursor.fetchall()}

    def test_is_committed_with_those_beside_it_or_not_at_all(self) -> None:
        self.add("a", "b")
        with self.assertRaises(IntegrityError):
            self.add("c", "bad", "d")
        self.add("e")

        self.assertEqual(self.words(), {"a", "b", "e"})

    def test_is_part_of_a_transaction(self) -> None:
        for is_begun in (False, True):  # Django leaves the beginning to whichever statement comes first
            with self.subTest(is_begun=is_begun), self.assertRaises(ZeroDivisionError), transaction.atomic():
                if is_begun:
                    self.words()
                self.add("a", "b")
                self.assertEqual(self.words(), {"a", "b"})
                raise ZeroDivisionError

        self.assertEqual(self.words(), set())

    def test_with_a_nul_in_a_text_is_refused_not_cut_short(self) -> None:
        with self.assertRaises(DataError):
            self.add("a\x00b")

        self.assertEqual(self.words(), set())

    def test_is_made_ready_again_once_it_was_forgotten(self) -> None:
        keep = Statement("INSERT INTO one_statement VALUES (%s) RETURNING true", ["text"])
        for word in ("a", "b"):
            row_of_last([(keep, [word])], using="default")
            with connection.cursor() as cursor:
                cursor.execute("DEALLOCATE ALL")

        self.assertEqual(self.words(), {"a", "b"})

    def test_takes_more_bytes_than_the_network_does_at_once(self) -> None:
        lock = (pause_lock.SHARED, pause_lock.name_of(_ID))
        large = "x" * 8_000_000
        found = row_of_last([lock, (Statement("SELECT length(%s) = 8000000", ["text"]), [large])], using="default")

        self.assertEqual(found, (True,))

    def test_lets_other_threads_go_on_meanwhile(self) -> None:
        sleep = Statement("SELECT pg_sleep(%s::int / 1000.0) IS NOT NULL", ["integer"])

        def run() -> None:
            ask("SELECT true")
            row_of_last([(pause_lock.SHARED, pause_lock.name_of(_ID)), (sleep, [150])], using="default")
            row_of_last([(sleep, [150])], using="default")
            connection.close()

        thread, turns = threading.Thread(target=run), 0
        thread.start()
        while thread.is_alive():
            thread.join(0.01)
            turns += 1

        self.assertGreater(turns, 10)

    def test_raises_djangos_error_where_the_connection_is_lost(self) -> None:
        self.words()
        cut_connection()

        for words in (["a"], ["a", "b"]):
            with self.assertRaises(OperationalError):
                self.add(*words)
        connection.close()
        self.add("c")

        self.assertEqual(self.words(), {"c"})
