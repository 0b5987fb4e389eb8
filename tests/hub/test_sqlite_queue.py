"""Who writes on SQLite has his turn in the order of arrival, and nobody waits for a lock that is free."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from django.test import SimpleTestCase, TestCase

from hub.sqlite3.queue import Place, WriteQueue, queue_of

_LONG = 10.0
_PATIENCE = 0.1


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + _LONG
    while not is_so():
        if time.monotonic() > ends_at:
            raise AssertionError("it never came to that")
        time.sleep(0.001)


@patch("hub.sqlite3.queue.PATIENCE_SECONDS", _PATIENCE)
class TheQueue(SimpleTestCase):
    def setUp(self) -> None:
        self.queue = WriteQueue()
        self.came: list[int] = []

    def waiting(self, number: int) -> threading.Thread:
        """Return a thread that stands in the queue, and when called notes its number and leaves."""
        place = Place()

        def wait() -> None:
            self.queue.enter(place, seconds=_LONG)
            self.came.append(number)
            self.queue.leave(place)

        thread = in_thread(wait)
        until(lambda: place in self.queue._waiting)
        return thread

    def test_calls_in_the_order_of_arrival(self) -> None:
        first = Place()
        self.queue.enter(first, seconds=_LONG)
        threads = [self.waiting(number) for number in range(5)]
        self.queue.leave(first)
        for thread in threads:
            thread.join(_LONG)
        self.assertEqual(self.came, [0, 1, 2, 3, 4])

    def test_lets_nobody_wait_where_nobody_writes(self) -> None:
        for _ in range(2):
            place = Place()
            self.queue.enter(place, seconds=0)
            self.assertIs(self.queue._first, place)
            self.queue.leave(place)

    def test_lets_the_next_look_where_the_turn_is_never_given_back(self) -> None:
        self.queue.enter(Place(), seconds=_LONG)
        after = Place()
        began = time.monotonic()
        self.queue.enter(after, seconds=_LONG)
        self.assertGreaterEqual(time.monotonic() - began, _PATIENCE)
        self.queue.take(after)
        thread = self.waiting(1)
        self.queue.leave(after)
        thread.join(_LONG)
        self.assertEqual(self.came, [1])

    def test_keeps_those_waiting_who_are_not_the_next(self) -> None:
        self.queue.enter(Place(), seconds=_LONG)
        head, second = Place(), Place()
        in_thread(lambda: self.queue.enter(head, seconds=_LONG))
        until(lambda: head in self.queue._waiting)
        began = time.monotonic()
        self.queue.enter(second, seconds=_PATIENCE * 2)
        self.assertGreaterEqual(time.monotonic() - began, _PATIENCE * 2)

    def test_forgets_who_goes_without_having_been_called(self) -> None:
        first, gone = Place(), Place()
        self.queue.enter(first, seconds=_LONG)
        self.queue.enter(gone, seconds=0.01)
        self.queue.leave(gone)
        thread = self.waiting(1)
        self.queue.leave(first)
        thread.join(_LONG)
        self.assertEqual(self.came, [1])

    def test_does_not_call_for_one_whose_turn_was_taken_over(self) -> None:
        lost, now = Place(), Place()
        self.queue.enter(lost, seconds=_LONG)
        self.queue.take(now)
        self.queue.leave(lost)
        self.assertIs(self.queue._first, now)

    def test_is_empty_in_a_copy_of_the_process(self) -> None:
        place = Place()
        queue_of("of a copy").enter(place, seconds=_LONG)
        copy = os.fork()
        if not copy:  # nothing of the tests may go on in it
            os._exit(0 if queue_of("of a copy")._first is None else 1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]), 0)
        queue_of("of a copy").leave(place)


@pytest.mark.any_database
@patch("hub.sqlite3.queue.PATIENCE_SECONDS", _PATIENCE)
class Transactions(TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "django.db.backends.sqlite3")
        self.began: list[int] = []
        self.connections = self.connected(timeout=_LONG)
        with self.connections["queued"].cursor() as cursor:
            cursor.execute("CREATE TABLE notes (number integer)")

    def connected(self, *, timeout: float) -> ConnectionHandler:
        """Return connections to the database, one for each thread."""
        options = {
            "timeout": timeout,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
        }
        queued = {"ENGINE": "hub.sqlite3", "NAME": self.path, "OPTIONS": options}
        made = ConnectionHandler({"default": {}, "queued": queued})
        self.addCleanup(made.close_all)
        return made

    def count(self) -> int:
        with self.connections["queued"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM notes")
            found: int = cursor.fetchone()[0]
        return found

    def note(self, connections: ConnectionHandler, *, times: int = 1) -> int:
        """Write in so many transactions; return the most that began while one of them waited."""
        most = 0
        for number in range(times):
            before = len(self.began)
            with writing(connections["queued"]) as connection:
                most = max(most, len(self.began) - before)
                self.began.append(number)
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO notes VALUES (%s)", [number])
                time.sleep(0.001)
        connections["queued"].close()
        return most

    def test_of_many_threads_begin_in_turn(self) -> None:
        overtaken: list[int] = []
        threads = [in_thread(lambda: overtaken.append(self.note(self.connections, times=20))) for _ in range(8)]
        for thread in threads:
            thread.join(_LONG)
        self.assertEqual(self.count(), 160)
        # Seven may be before one, and as many may come in the moment between the count and the queue.
        self.assertLessEqual(max(overtaken), 14)

    def test_let_a_lone_statement_have_its_turn_between_them(self) -> None:
        ends = threading.Event()

        def go_on() -> None:
            while not ends.is_set():
                self.note(self.connections, times=20)

        threads = [in_thread(go_on) for _ in range(4)]
        until(lambda: len(self.began) > 8)
        before = len(self.began)
        with self.connections["queued"].cursor() as cursor:
            cursor.execute("UPDATE notes SET number = %s", [7])
        overtaken = len(self.began) - before
        ends.set()
        for thread in threads:
            thread.join(_LONG)
        # By SQLite's own sleeping it never finds the lock free.
        self.assertLessEqual(overtaken, 8)
        self.assertIsNone(queue_of(self.path)._first)

    def test_wait_for_the_transaction_of_another_process(self) -> None:
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        thread = in_thread(lambda: self.note(self.connections))
        until(lambda: queue_of(self.path)._first is not None)
        self.assertEqual(self.count(), 0)
        other.execute("COMMIT")
        thread.join(_LONG)
        self.assertEqual(self.count(), 1)

    def test_say_that_the_database_is_locked_once_the_timeout_is_over(self) -> None:
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        impatient = self.connected(timeout=0.05)
        with self.assertRaisesMessage(OperationalError, "database is locked"):
            self.note(impatient)
        other.execute("ROLLBACK")
        self.note(impatient)
        self.assertEqual(self.count(), 1)

    def test_give_the_turn_back_when_they_fail_or_their_connection_is_closed(self) -> None:
        connection = self.connections["queued"]
        with self.assertRaises(ZeroDivisionError), writing(connection):
            raise ZeroDivisionError
        self.assertIsNone(queue_of(self.path)._first)
        with suppress(ZeroDivisionError), writing(connection):
            connection.close()
            self.assertIsNone(queue_of(self.path)._first)
            raise ZeroDivisionError

    def test_leave_the_timeout_of_single_statements_as_it_is(self) -> None:
        connection = self.connections["queued"]
        with writing(connection), connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout")
            self.assertEqual(cursor.fetchone()[0], _LONG * 1000)

    def test_are_not_held_up_by_a_thread_that_ended_within_one(self) -> None:
        connection = self.connected(timeout=_LONG)["queued"]
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        connection.connection.rollback()  # as SQLite does for a connection that nobody has any more
        self.note(self.connections, times=3)
        self.assertEqual(self.count(), 3)


@contextmanager
def writing(connection: Any) -> Iterator[Any]:
    """Begin and end a transaction on ``connection``, as `django.db.transaction.atomic` does."""
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    try:
        yield connection
    except BaseException:
        connection.rollback()
        raise
    else:
        connection.commit()
    finally:
        connection.set_autocommit(True)
