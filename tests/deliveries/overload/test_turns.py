"""Whose request a thread of the web server takes up first."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

from django.test import SimpleTestCase, TestCase
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from deliveries.overload.gate import is_urgent
from deliveries.overload.turns import Turns
from deliveries.receiving import endpoints
from hub.webworker import Worker
from tests.factories import make_endpoint


class Turn(SimpleTestCase):
    def setUp(self) -> None:
        self.turns: Turns[str] = Turns()

    def add(self, names: str) -> None:
        """Let those wait; the urgent ones have capitals."""
        for name in names:
            self.turns.add(name, is_urgent=name.isupper())

    def take(self, number: int) -> str:
        return "".join(self.turns.take()[0] for _ in range(number))

    def test_comes_first_to_the_urgent_and_else_in_order(self) -> None:
        self.add("abAcB")

        self.assertEqual(self.take(3), "ABa")
        self.add("C")
        self.assertEqual(self.take(3), "Cbc")

    def test_comes_to_the_others_too_where_the_urgent_do_not_end(self) -> None:
        self.add("ab" + "U" * 20)

        self.assertEqual(self.take(22), "UUUUUUUUaUUUUUUUUbUUUU")

    def test_says_whether_it_was_urgent(self) -> None:
        self.add("aB")

        self.assertEqual([self.turns.take()[1] for _ in range(2)], [True, False])


class AnUrgentRequest(TestCase):
    def test_is_one_for_a_known_endpoint_of_the_highest_priority(self) -> None:
        for slug, priority in (("critical", 9), ("usual", 8)):
            make_endpoint(slug=slug, priority=priority)
        make_endpoint(slug="unknown", priority=9)
        for slug in ("critical", "usual"):
            endpoints.at(slug)

        with self.assertNumQueries(0):
            for urgent, line in (
                (True, b"POST /hooks/critical HTTP/1.1\r\nHost: h"),
                (True, b"POST /hooks/critical/?a=b HTTP/1.1\r\n"),
                (False, b"POST /hooks/critical"),
                (False, b"GET /hooks/critical HTTP/1.1\r\n"),
                (False, b"POST /hooks/usual HTTP/1.1\r\n"),
                (False, b"POST /hooks/unknown HTTP/1.1\r\n"),
                (False, b"\x16\x03\x01\x02\x00"),
                (False, b""),
            ):
                with self.subTest(line=line):
                    self.assertEqual(is_urgent(line), urgent)


class OneThread(Worker):
    """The web server's worker with one thread; requests are written down and not answered."""

    def __init__(self) -> None:
        config = Config()
        config.set("threads", 1)
        super().__init__(1, os.getpid(), [], None, 30, config, Logger(config))
        self._is_urgent: Callable[[bytes], bool] = lambda line: b"urgent" in line
        self.tpool, self.poller = self.get_thread_pool(), selectors.DefaultSelector()
        self.method_queue.init()
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self.go_on = threading.Event()
        self.taken: list[str] = []

    def handle(self, conn: Any) -> bool:
        self.taken.append(conn.client)
        self.go_on.wait(10)
        return False

    def serve(self, number: int) -> list[str]:
        """Return whose requests were taken up, in that order, once there are so many."""
        self.go_on.set()
        for _ in range(100):
            if len(self.taken) >= number and not self.nr_conns:
                break
            self.wait_for_and_dispatch_events(0.1)
        return self.taken


class AWebWorker(SimpleTestCase):
    def setUp(self) -> None:
        self.worker = OneThread()
        self.addCleanup(self.worker.tmp.close)
        self.addCleanup(self.worker.method_queue.close)
        self.addCleanup(self.worker.poller.close)
        self.addCleanup(self.worker.tpool.shutdown)

    def connect(self, name: str, first_bytes: bytes = b"") -> socket.socket:
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        if first_bytes:
            self.send(ours, first_bytes)
        self.worker.nr_conns += 1
        self.worker.enqueue_req(TConn(self.worker.cfg, theirs, name, ""))
        return ours

    def send(self, ours: socket.socket, first_bytes: bytes) -> None:
        ours.sendall(first_bytes)
        ours.shutdown(socket.SHUT_WR)  # the server waits a while for what else may come

    def test_takes_up_the_urgent_first_while_its_threads_are_busy(self) -> None:
        for name in ("first", "second", "third", "urgent"):
            self.connect(name, b"POST /hooks/%b HTTP/1.1\r\n" % name.encode())

        self.assertEqual(self.worker.serve(4), ["first", "urgent", "second", "third"])

    def test_keeps_no_thread_for_who_has_sent_nothing(self) -> None:
        silent = self.connect("silent")
        self.connect("second", b"POST /hooks/second HTTP/1.1\r\n")
        while not self.worker.taken:
            self.worker.wait_for_and_dispatch_events(0.1)
        self.send(silent, b"POST /hooks/silent HTTP/1.1\r\n")

        self.assertEqual(self.worker.serve(2), ["second", "silent"])

    def test_that_stops_does_not_wait_for_who_has_sent_nothing(self) -> None:
        self.connect("silent")

        self.worker._cap_keepalive(0.0)
        self.worker.murder_pending()

        self.assertEqual((self.worker.nr_conns, self.worker.taken), (0, []))
