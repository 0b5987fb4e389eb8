"""`airbyte.sync` by a connection, to a server on loopback that has the jobs of one connection as Airbyte has them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import time_machine
from django.utils import timezone

from integrations.calling.running import StoredRuns
from integrations.errors import GiveUp, StillRunning
from integrations.handlers.airbyte import SyncFailed, preview
from integrations.models import Connection
from tests.integrations.calling.running import run_over
from tests.integrations.calling.systems import Sent
from tests.integrations.calling.test_client import CallingTestCase
from tests.integrations.calling.test_tokens import in_threads
from tests.integrations.handlers.contexts import Kept, event_of

CONNECTION = "18dccc91-0ab1-4f72-9ed7-0b8fc27c5826"
CONFIG: dict[str, Any] = {
    "connection": "airbyte",
    "airbyte_connection": CONNECTION,
    "timeout_minutes": 60,
    "coalesce_seconds": 0,
}
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
OVER = {"succeeded", "failed", "cancelled"}


class Airbyte:
    """Jobs as the public API shows them: one at a time, ids that rise, 409 while one is not over."""

    def __init__(self) -> None:
        self.jobs: dict[int, str] = {}
        self.loses_an_answer = False
        self.begins = "pending"

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
        self.jobs[job] = self.begins
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

    def run_once(self, journal: Kept, *, received_at: datetime = NOON, **changes: Any) -> None:
        event = event_of({}, received_at=received_at)
        run_over(self, "airbyte.sync", CONFIG | changes, event=event, journal=journal)

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

    def test_waits_for_what_follows_an_event_before_it_starts_a_sync(self) -> None:
        delivery = Kept()
        for seconds in (0, 9):
            self.clock.move_to(NOON + timedelta(seconds=seconds))
            with self.assertRaises(StillRunning) as waiting:
                self.run_once(delivery, coalesce_seconds=10)
            self.assertEqual(waiting.exception.after, timedelta(seconds=10 - seconds))
            self.assertFalse(waiting.exception.spends_attempt)
        self.assertEqual(self.started(), 0)

        self.clock.move_to(NOON + timedelta(seconds=10))
        with self.assertRaisesMessage(StillRunning, "job 101 is pending"):
            self.run_once(delivery, coalesce_seconds=10)

    def test_makes_one_sync_of_a_burst_that_finds_none_running(self) -> None:
        burst = [(Kept(), NOON + timedelta(seconds=2 * number)) for number in range(5)]
        for delivery, received_at in burst[:4]:  # the last is in the queue still as the sync is started
            self.clock.move_to(received_at)
            with self.assertRaisesMessage(StillRunning, "is to be served by the same sync"):
                self.run_once(delivery, received_at=received_at, coalesce_seconds=10)
        for seconds, (delivery, received_at) in enumerate(burst):
            self.clock.move_to(NOON + timedelta(seconds=20 + seconds))
            with self.assertRaisesMessage(StillRunning, "job 101 is pending"):
                self.run_once(delivery, received_at=received_at, coalesce_seconds=10)
        self.airbyte.jobs[101] = "succeeded"
        for delivery, received_at in burst:
            self.run_once(delivery, received_at=received_at, coalesce_seconds=10)

        self.assertEqual(self.airbyte.jobs, {101: "succeeded"})
        self.assertEqual([delivery.lines for delivery, _ in burst], [[("synced", {"job": 101})]] * 5)

    def test_makes_another_sync_for_what_came_after_one_had_begun(self) -> None:
        first, late = Kept(), Kept()
        self.waits(first)
        self.clock.shift(timedelta(seconds=5))
        with self.assertRaisesMessage(StillRunning, "a job that began before the event is in the way"):
            self.run_once(late, received_at=NOON + timedelta(seconds=1))
        self.airbyte.jobs[101] = "succeeded"
        with self.assertRaisesMessage(StillRunning, "job 102 is pending"):
            self.run_once(late, received_at=NOON + timedelta(seconds=1))

    def test_is_not_kept_from_its_sync_by_a_worker_that_was_killed(self) -> None:
        delivery = Kept()
        with self.assertRaises(StillRunning):
            self.run_once(delivery, coalesce_seconds=10)
        runs = StoredRuns(str(Connection.objects.get().pk))
        killed = runs.alone(CONNECTION, lease=timedelta(seconds=50))
        killed.__enter__()
        self.clock.shift(timedelta(seconds=10))
        (waiting,) = self.waits(delivery)
        self.assertEqual(str(waiting), "another worker is about to begin it")

        self.airbyte.jobs[101] = "pending"  # it was killed before it could say that it had begun one
        self.clock.shift(timedelta(seconds=40))
        (waiting,) = self.waits(delivery)

        self.assertEqual((str(waiting), self.started()), ("Airbyte is not done: job 101 is pending", 0))
        del killed

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


class SeveralWorkersTests(CallingTestCase):
    def test_start_one_sync_of_a_burst(self) -> None:
        """Airbyte would refuse a second job while one runs; here each is over at once, and none is refused."""
        airbyte = Airbyte()
        airbyte.begins = "succeeded"
        self.system.answering = airbyte.answer
        self.system.connection("airbyte")
        event = event_of({}, received_at=timezone.now() - timedelta(seconds=3))

        def deliver() -> list[Any]:
            delivery = Kept()
            for _ in range(200):
                try:
                    run_over(self, "airbyte.sync", CONFIG, event=event, journal=delivery)
                except StillRunning:
                    time.sleep(0.02)
                else:
                    return delivery.lines
            raise AssertionError("it does not end")

        self.assertEqual(in_threads(4, deliver), [[("synced", {"job": 101})]] * 4)
        self.assertEqual(list(airbyte.jobs), [101])
