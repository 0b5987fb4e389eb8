"""What all workers share, from several threads and several processes at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from django.db import connection as database
from django.utils import timezone

from integrations.errors import CircuitOpen
from integrations.models import Circuit, ConnectionHealth
from tests.integrations.calling.systems import Sent
from tests.integrations.calling.test_client import CallingTestCase
from tests.integrations.calling.test_tokens import in_threads
from tests.running_hub import ROOT


class ThreadsTests(CallingTestCase):
    def test_share_one_rate(self) -> None:
        connection = self.system.connection("crm", rate_per_second=25, burst=1)
        began = time.monotonic()

        def call() -> list[int]:
            return [self.client_of(connection, sleep=time.sleep).get().status_code for _ in range(5)]

        self.assertEqual(in_threads(3, call), [[200] * 5] * 3)
        self.assertGreaterEqual(max(sent.at for sent in self.system.requests) - began, 14 / 25)

    def test_send_a_single_probe_to_a_system_that_was_unwell(self) -> None:
        connection = self.system.connection("crm", breaker_failures=1)
        ConnectionHealth.objects.create(connection=connection, failures=1, openings=1, open_until=timezone.now())
        is_enough = threading.Event()
        sent_away: list[CircuitOpen] = []

        def answer(_sent: Sent) -> tuple[int, Any]:
            is_enough.wait(timeout=10)
            return 200, {}

        def call() -> int:
            try:
                return self.client_of(connection).get().status_code
            except CircuitOpen as exc:
                sent_away.append(exc)
                if len(sent_away) == 3:
                    is_enough.set()
                raise

        self.system.answering = answer
        results = in_threads(4, call)

        self.assertEqual([result for result in results if result not in sent_away], [200])
        self.assertEqual((len(sent_away), len(self.system.requests)), (3, 1))
        self.assertEqual(ConnectionHealth.objects.get().circuit(timezone.now()), Circuit.CLOSED)


class ProcessesTests(CallingTestCase):
    def callers(self, name: str, *, count: int) -> list[subprocess.Popen[str]]:
        """Start processes that use this test's database, ready to call."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "DATABASE_URL": _database_url(),
            "HUB_EGRESS_ALLOW": "127.0.0.0/8",
        }
        line = [sys.executable, "-m", "tests.integrations.calling.caller", name]
        started = []
        for _ in range(count):
            caller = subprocess.Popen(
                line, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self.addCleanup(_end, caller)
            started.append(caller)
        for caller in started:
            self.assertEqual(_line(caller), "ready\n")
        return started

    def test_share_one_rate_and_one_circuit(self) -> None:
        self.system.connection(
            "crm",
            rate_per_second=20,
            burst=1,
            breaker_failures=4,
            retry={"max_attempts": 1},
            credentials={"token": "x" * 9},
        )
        callers = self.callers("crm", count=2)

        began = time.monotonic()
        self.assertEqual(_told(callers, 6), [["200"] * 6] * 2)
        self.assertGreaterEqual(max(sent.at for sent in self.system.requests) - began, 11 / 20)

        self.system.requests.clear()
        self.system.answers(500)
        results = [result for one in _told(callers, 5) for result in one]
        # One more may have been under way as the fourth failure came.
        self.assertIn(len(self.system.requests), {4, 5})
        self.assertEqual(results.count("500"), len(self.system.requests))
        self.assertEqual(results.count("CircuitOpen"), 10 - len(self.system.requests))


def _database_url() -> str:
    name = str(database.settings_dict["NAME"])
    server = os.environ.get("TEST_DATABASE_URL")
    return urlsplit(server)._replace(path=f"/{name}").geturl() if server else f"sqlite:///{name}"


def _told(callers: list[subprocess.Popen[str]], calls: int) -> list[list[str]]:
    for caller in callers:
        assert caller.stdin is not None
        caller.stdin.write(f"{calls}\n")
        caller.stdin.flush()
    return [json.loads(_line(caller)) for caller in callers]


def _line(caller: subprocess.Popen[str]) -> str:
    assert caller.stdout is not None
    return caller.stdout.readline()


def _end(caller: subprocess.Popen[str]) -> None:
    with caller:
        assert caller.stdin is not None
        caller.stdin.close()
        caller.wait(timeout=20)
