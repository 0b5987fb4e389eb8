"""What a delivery's timeline tells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import SimpleTestCase

from deliveries.execution.endings import error_stack
from deliveries.models import Attempt, Delivery, Event, StepResult
from deliveries.models.transitions import GIVEN_BACK, MOST_GIVE_BACKS
from deliveries.timeline import Entry, Kind, in_words, timeline_of, timeline_of_event
from integrations.errors import CircuitOpen
from integrations.models import Endpoint, Route

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_delivery(*, verdict: str = "verified", sensitive: bool = False, **values: Any) -> Delivery:
    endpoint = Endpoint(slug="shop", sensitive=sensitive)
    route = Route(endpoint=endpoint, name="to the ERP", handler="log")
    event = Event(endpoint=endpoint, verdict=verdict, event_type="order.paid", received_at=START)
    times = {"created_at": at(0.02), "due_at": at(0.02), "finished_at": None}
    return Delivery(event=event, endpoint=endpoint, route=route, **{**times, "status": "running", **values})


def an_attempt(number: int, start: float, end: float | None, outcome: str = "failed", **values: Any) -> Attempt:
    trigger = values.pop("trigger", "first" if number == 1 else "retry")
    finished = None if end is None else at(end)
    return Attempt(
        number=number, started_at=at(start), finished_at=finished, outcome=outcome, trigger=trigger, **values
    )


def a_step(key: str, when: float) -> StepResult:
    return StepResult(key=key, created_at=at(when))


class TimelineCase(SimpleTestCase):
    def told(
        self, delivery: Delivery, *attempts: Attempt, steps: Sequence[StepResult] = (), left_out: str = ""
    ) -> list[Entry]:
        return timeline_of(delivery, attempts=attempts, steps=steps, left_out=left_out)

    def texts(self, *args: Any, **values: Any) -> list[str]:
        return [entry.text for entry in self.told(*args, **values)]


class OrderTests(TimelineCase):
    """A timeline tells it from the receipt to the end."""

    def test_goes_through_verdict_route_attempts_and_steps(self) -> None:
        delivery = a_delivery(status="succeeded", finished_at=at(305.1), attempt_count=2)
        second, first = an_attempt(2, 301, 305, "succeeded"), an_attempt(1, 0.1, 1)

        entries = self.told(delivery, second, first, steps=[a_step("invoice", 303.5)])

        self.assertEqual(
            [(entry.kind, entry.text, entry.duration_ms) for entry in entries],
            [
                (Kind.RECEIVED, "Received: order.paid", None),
                (Kind.VERIFIED, "Verified: it proved where it came from", None),
                (Kind.ROUTED, "Queued for route to the ERP", 20),
                (Kind.ATTEMPT, "Attempt 1", 900),
                (Kind.WAITED, "waited 5 min", 300_000),
                (Kind.ATTEMPT, "Attempt 2", 4000),
                (Kind.STEP, "Step invoice done and kept, 2 s into attempt 2", None),
                (Kind.END, "Succeeded", 305_100),
            ],
        )
        times = [entry.at for entry in entries if entry.at]
        self.assertEqual(times, sorted(times))

    def test_leads_to_event_route_and_attempts(self) -> None:
        delivery = a_delivery()

        links = {entry.kind: entry.link for entry in self.told(delivery, an_attempt(1, 1, None, "running"))}

        self.assertEqual(links[Kind.RECEIVED], f"/admin/deliveries/event/{delivery.event_id}/change/")
        self.assertEqual(links[Kind.ROUTED], f"/admin/integrations/route/{delivery.route_id}/change/")
        self.assertEqual(links[Kind.ATTEMPT], "#attempt-1")

    def test_says_for_every_verdict_how_it_was_known(self) -> None:
        for verdict, text in (
            ("unverified", "Not verified: the endpoint asks for no proof"),
            ("backfilled", "Needed no proof: the hub fetched it from the provider"),
            ("reverified", "Refused at first, verified later"),
        ):
            self.assertIn(text, self.texts(a_delivery(verdict=verdict)))
        self.assertEqual(
            self.texts(a_delivery(verdict="internal"))[:2], ["Made: order.paid", "Needed no proof: the hub made it"]
        )

    def test_says_who_made_the_event_of_another(self) -> None:
        edited, accepted = a_delivery(verdict="internal"), a_delivery()
        edited.event.requested_by = accepted.event.requested_by = "ada"
        edited.event.flags = ["edited_payload"]

        self.assertEqual(self.texts(edited)[0], "Made: order.paid, with an edited payload by ada")
        known = "Received: order.paid, under a known id; ada accepted it as an event of its own"
        self.assertEqual(self.texts(accepted)[0], known)

    def test_ends_with_what_comes_next(self) -> None:
        for values, text, when in (
            ({"status": "pending"}, "First attempt due", at(0.02)),
            ({"status": "waiting", "attempt_count": 1, "due_at": at(60)}, "Next attempt due", at(60)),
            ({"status": "held"}, "Held", None),
        ):
            last = self.told(a_delivery(**values))[-1]
            self.assertEqual((last.kind, last.text, last.at), (Kind.NEXT, text, when))

    def test_ends_with_the_attempt_that_runs(self) -> None:
        last = self.told(a_delivery(attempt_count=1), an_attempt(1, 1, None, "running"))[-1]

        self.assertEqual((last.kind, last.duration_ms, last.state), (Kind.ATTEMPT, None, "running"))

    def test_ends_with_the_discarding_however_late_it_came(self) -> None:
        delivery = a_delivery(status="discarded", finished_at=at(1 + 2 * 86400), attempt_count=1)

        self.assertEqual(self.texts(delivery, an_attempt(1, 0.1, 1))[-2:], ["nothing happened for 2 d", "Discarded"])

    def test_says_what_it_leaves_out_and_no_wait_across_it(self) -> None:
        texts = self.texts(a_delivery(), an_attempt(9, 900, None, "running"), left_out="Not shown: 8 earlier attempts")

        self.assertEqual(texts[-2:], ["Not shown: 8 earlier attempts", "Attempt 9"])

    def test_has_a_step_that_ended_after_its_attempt(self) -> None:
        delivery = a_delivery(attempt_count=2)
        attempts = an_attempt(1, 0.1, 10, "lost"), an_attempt(2, 60, None, "running", trigger="takeover")

        texts = self.texts(delivery, *attempts, steps=[a_step("late", 20)])

        self.assertEqual(texts[-4:], ["Attempt 1", "Step late done and kept", "waited 50 s", "Attempt 2, taken over"])

    def test_keeps_keys_of_steps_to_itself_at_a_sensitive_endpoint(self) -> None:
        texts = self.texts(
            a_delivery(sensitive=True), an_attempt(1, 0.1, None, "running"), steps=[a_step("mail ada@example.com", 1)]
        )

        self.assertEqual(texts[-1], "A step done and kept, 900 ms into attempt 1")


class WaitTests(TimelineCase):
    """A wait is told."""

    def test_before_the_first_attempt_too(self) -> None:
        self.assertIn("waited 2 min", self.texts(a_delivery(), an_attempt(1, 120.02, None, "running")))

    def test_only_if_it_was_one(self) -> None:
        delivery, first = a_delivery(), an_attempt(1, 0.5, 1)
        for start in (0.9, 1, 1.9):  # a clock of another worker may be behind
            kinds = [entry.kind for entry in self.told(delivery, first, an_attempt(2, start, None, "running"))]
            self.assertNotIn(Kind.WAITED, kinds)

    def test_until_and_after_the_order_to_replay(self) -> None:
        delivery = a_delivery(attempt_count=2, replayed_at=at(3601))
        again = an_attempt(2, 3606, None, "running", trigger="replay", requested_by="ada")

        self.assertEqual(
            self.texts(delivery, an_attempt(1, 0.1, 1), again)[-4:],
            ["nothing happened for 1 h", "Replay ordered by ada", "waited 5 s", "Attempt 2, a replay asked for by ada"],
        )

    def test_of_an_earlier_replay_for_no_reason(self) -> None:
        delivery = a_delivery(attempt_count=3, replayed_at=at(7200), next_trigger="replay", requested_by="bob")
        again = an_attempt(2, 61, 62, trigger="replay")

        self.assertEqual(
            self.texts(delivery, an_attempt(1, 0.1, 1), again)[4:7],
            ["1 min later", "Attempt 2, a replay", "nothing happened for 1 h 58 min"],
        )
        self.assertIn("Replay ordered by bob", self.texts(delivery, again))

    def test_in_words(self) -> None:
        for seconds, words in (
            (0, "0 ms"), (0.04, "40 ms"), (1, "1 s"), (59, "59 s"), (60, "1 min"), (80, "1 min 20 s"), (300.2, "5 min"),
            (3600, "1 h"), (3659, "1 h"), (4200, "1 h 10 min"), (86_400, "1 d"), (3 * 86_400 + 7200, "3 d 2 h"),
        ):  # fmt: skip
            self.assertEqual(in_words(timedelta(seconds=seconds)), words)


class UnspentTests(TimelineCase):
    """An attempt that was not spent is marked."""

    def note(self, delivery: Delivery | None = None, **values: Any) -> str:
        return self.told(delivery or a_delivery(), an_attempt(1, 0.1, 1, **values))[3].note

    def test_if_the_system_was_not_called(self) -> None:
        for name in ("NotCalled", "CircuitOpen", "RateLimited", "ConnectionPaused"):
            trace = f"Traceback (most recent call last):\nintegrations.errors.{name}: crm is not called\n"
            self.assertEqual(self.note(error_type=name, traceback=trace), "not called; no attempt spent")

    def test_as_the_engine_keeps_such_an_error(self) -> None:
        error = CircuitOpen(timedelta(minutes=5), "crm is left alone\nfor 5 min")

        note = self.note(error_type=type(error).__name__, traceback=error_stack(error, None))

        self.assertEqual(note, "not called; no attempt spent")

    def test_if_what_was_asked_for_still_ran(self) -> None:
        trace = "integrations.errors.StillRunning: sync 7\n"
        self.assertEqual(self.note(error_type="StillRunning", traceback=trace), "not over yet; no attempt spent")

    def test_unless_the_error_only_has_such_a_name(self) -> None:
        self.assertEqual(self.note(error_type="RateLimited", traceback="vendor.errors.RateLimited: slow down\n"), "")
        self.assertEqual(self.note(error_type="RetryLater", traceback="integrations.errors.RetryLater: later\n"), "")

    def test_if_a_stopping_worker_gave_it_back(self) -> None:
        lost = {"outcome": "lost", "error_message": GIVEN_BACK}

        self.assertEqual(self.note(a_delivery(give_backs=1), **lost), "given back; no attempt spent")
        self.assertEqual(self.note(a_delivery(give_backs=MOST_GIVE_BACKS + 1), **lost), "")
        self.assertEqual(self.note(a_delivery(replayed_at=at(60)), **lost), "")
        self.assertEqual(self.note(outcome="lost", error_message="The worker ended."), "")


class EventTests(SimpleTestCase):
    """The timeline of an event tells how each of its deliveries began and ended."""

    def test_goes_from_the_receipt_through_every_route_in_the_order_of_time(self) -> None:
        first = a_delivery(status="succeeded", finished_at=at(9), attempt_count=2)
        second = a_delivery(status="dead", finished_at=at(5), attempt_count=6, created_at=at(0.04))
        second.route.name = "to the archive"
        entries = timeline_of_event(first.event, [first, second])
        self.assertEqual(
            [(entry.text, entry.duration_ms) for entry in entries],
            [
                ("Received: order.paid", None),
                ("Verified: it proved where it came from", None),
                ("Queued for route to the ERP", 20),
                ("Queued for route to the archive", 40),
                ("to the archive: gave up: a dead letter at attempt 6", 5000),
                ("to the ERP: succeeded at attempt 2", 9000),
            ],
        )
        self.assertIn(str(first.pk), entries[2].link)

    def test_names_what_comes_next(self) -> None:
        waiting = a_delivery(status="waiting", due_at=at(60), attempt_count=1)
        self.assertEqual(timeline_of_event(waiting.event, [waiting])[-1].text, "to the ERP: next attempt due")

    def test_of_one_that_no_route_took_is_its_receipt(self) -> None:
        self.assertEqual(len(timeline_of_event(a_delivery().event, [])), 2)
