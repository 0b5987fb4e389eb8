"""`airbyte.sync` by a connection, to a server on loopback that has the jobs of one connection as Airbyte has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import time_machine

from integrations.errors import GiveUp, StillRunning
from integrations.handlers.airbyte import SyncFailed, preview
from tests.integrations.calling.running import run_over
from tests.integrations.calling.systems import Sent
from tests.integrations.calling.test_client import CallingTestCase
from tests.integrations.handlers.contexts import Kept, event_of

CONNECTION = "18dccc91-0ab1-4f72-9ed7-0b8fc27c5826"
CONFIG: dict[str, Any] = {"connection": "airbyte", "airbyte_connection": CONNECTION, "timeout_minutes": 60}
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
OVER = {"succeeded", "failed", "cancelled"}


class Airbyte:
    """Jobs as the public API shows them: one at a time, ids that rise, 409 while one is not over."""

    def __init__(self) -> None:
        self.jobs: dict[int, str] = {}
        self.loses_an_answer = False

    def answer(self, sent: Sent) -> tuple[int, Any]:
        path, query = urlsplit(sent.path).path, parse_qs(urlsplit(sent.path).query)
        if sent.method == "POST":
            return self.start(sent.json)
        if path == "/v1/jobs":
            assert query == {
                "connectionId": [CONNECTION],
                "jobType": ["sync"],
                "orderBy": ["createdAt|DESC"],
                "limit": ["1"],
            }
            newest = sorted(self.jobs, reverse=True)[:1]
            return 200, {"data": [self.shown(job) for job in newest], "previous": "", "next": ""}
        return 200, self.shown(int(path.rpartition("/")[2]))

    def start(self, asked: Any) -> tuple[int, Any]:
        assert asked == {"connectionId": CONNECTION, "jobType": "sync"}
        if set(self.jobs.values()) - OVER:
            return 409, {"status": 409, "title": "state-conflict", "detail": "A sync is already running"}
        job = max(self.jobs, default=100) + 1
        self.jobs[job] = "pending"
        if self.loses_an_answer:
            self.loses_an_answer = False
            return 502, {}
        return 200, self.shown(job)

    def shown(self, job: int) -> dict[str, Any]:
        return {"jobId": job, "status": self.jobs[job], "jobType": "sync", "connectionId": CONNECTION}


class AirbyteSyncTests(CallingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.airbyte = Airbyte()
        self.system.answering = self.airbyte.answer
        self.clock = self.enterContext(time_machine.travel(NOON, tick=False))

    def run_once(self, journal: Kept) -> None:
        run_over(self, "airbyte.sync", CONFIG, event=event_of({}), journal=journal)

    def waits(self, *journals: Kept) -> list[StillRunning]:
        raised = []
        for journal in journals:
            with self.assertRaises(StillRunning) as caught:
                self.run_once(journal)
            raised.append(caught.exception)
        return raised

    def started(self) -> int:
        return sum(sent.method == "POST" for sent in self.system.requests)

    def test_starts_one_sync_and_follows_it_without_spending_attempts(self) -> None:
        delivery = Kept()
        (waiting,) = self.waits(delivery)
        self.assertFalse(waiting.spends_attempt)
        self.assertEqual(waiting.after, timedelta(seconds=10))
        self.airbyte.jobs[101] = "incomplete"  # Airbyte tries the job again itself
        self.clock.shift(timedelta(minutes=10))
        (waiting,) = self.waits(delivery)
        self.assertEqual(waiting.after, timedelta(minutes=1))

        self.airbyte.jobs[101] = "succeeded"
        self.run_once(delivery)

        self.assertEqual(self.started(), 1)
        self.assertEqual(delivery.lines, [("synced", {"job": 101})])

    def test_makes_one_sync_of_events_that_came_before_it_began(self) -> None:
        self.airbyte.jobs[101] = "running"  # it may have read already what these events are about
        burst = [Kept() for _ in range(4)]
        self.waits(*burst)
        self.airbyte.jobs[101] = "succeeded"
        self.waits(*burst)
        self.airbyte.jobs[102] = "succeeded"
        for delivery in burst:
            self.run_once(delivery)

        self.assertEqual(self.airbyte.jobs, {101: "succeeded", 102: "succeeded"})
        self.assertEqual([delivery.lines for delivery in burst], [[("synced", {"job": 102})]] * 4)

    def test_makes_two_syncs_of_a_burst_that_finds_none_running(self) -> None:
        first, *others = burst = [Kept() for _ in range(4)]
        self.waits(*burst)
        self.airbyte.jobs[101] = "succeeded"
        self.run_once(first)
        self.waits(*others)
        self.airbyte.jobs[102] = "succeeded"
        for delivery in others:
            self.run_once(delivery)

        self.assertEqual(list(self.airbyte.jobs), [101, 102])

    def test_is_served_by_a_sync_that_is_over_when_the_delivery_comes_back(self) -> None:
        self.airbyte.jobs[101] = "running"
        first, late = Kept(), Kept()
        self.waits(first, late)
        self.airbyte.jobs[101] = "succeeded"
        self.waits(first)
        self.airbyte.jobs[102] = "succeeded"

        self.run_once(late)

        self.assertEqual(list(self.airbyte.jobs), [101, 102])

    def test_starts_no_second_sync_when_the_answer_to_the_first_is_lost(self) -> None:
        self.airbyte.loses_an_answer = True
        delivery = Kept()
        with self.assertRaisesMessage(Exception, "502"):
            self.run_once(delivery)
        self.waits(delivery)

        self.assertEqual((list(self.airbyte.jobs), self.started()), ([101], 1))

    def test_takes_another_sync_after_one_that_failed(self) -> None:
        first, second = deliveries = [Kept(), Kept()]
        self.waits(first, second)
        self.airbyte.jobs[101] = "failed"
        with self.assertRaisesMessage(SyncFailed, "job 101 is failed"):
            self.run_once(first)
        self.waits(first)
        self.assertEqual(self.airbyte.jobs, {101: "failed", 102: "pending"})
        self.waits(second)
        self.airbyte.jobs[102] = "succeeded"
        for delivery in deliveries:
            self.run_once(delivery)

        self.assertEqual(self.airbyte.jobs, {101: "failed", 102: "succeeded"})

    def test_gives_up_on_a_cancelled_sync_and_starts_another_in_a_replay(self) -> None:
        delivery = Kept()
        self.waits(delivery)
        self.airbyte.jobs[101] = "cancelled"
        with self.assertRaisesMessage(GiveUp, "job 101 is cancelled"):
            self.run_once(delivery)
        self.waits(delivery)
        self.assertEqual(self.airbyte.jobs, {101: "cancelled", 102: "pending"})

    def test_gives_up_when_a_sync_takes_too_long(self) -> None:
        self.airbyte.jobs[101] = "running"
        delivery = Kept()
        self.waits(delivery)
        self.clock.shift(timedelta(minutes=60))
        with self.assertRaisesMessage(GiveUp, "not done after 60 minutes: a job that began before"):
            self.run_once(delivery)

        self.airbyte.jobs[101] = "succeeded"
        self.waits(delivery)  # a replay: its own sync has as long again
        self.clock.shift(timedelta(minutes=60))
        with self.assertRaisesMessage(GiveUp, "not done after 60 minutes: job 102 is pending"):
            self.run_once(delivery)

    def test_gives_up_on_a_connection_that_airbyte_does_not_know(self) -> None:
        self.system.answering = lambda sent: (404, {"title": "resource-not-found"})
        with self.assertRaisesMessage(GiveUp, "Airbyte refuses it: airbyte: GET v1/jobs answered 404"):
            self.run_once(Kept())

    def test_is_previewed_as_the_job_that_is_asked_for(self) -> None:
        self.assertEqual(preview(event_of({}), CONFIG), {"connectionId": CONNECTION, "jobType": "sync"})
