"""``manage.py replay``."""

from __future__ import annotations

import io
import json
import threading
import time
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.test import TestCase

from deliveries.models import Delivery, Replay
from deliveries.models import replaying as moves
from tests.deliveries.execution.drains import AT_ONCE, DrainTestCase
from tests.deliveries.execution.replays import feed, make_dead
from tests.factories import make_endpoint, make_route


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def run(*words: str, terminal: bool = False) -> tuple[str, str]:
    """Return what the command writes to its output and to the terminal."""
    out, err = io.StringIO(), Terminal() if terminal else io.StringIO()
    call_command("replay", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


class OrderTests(TestCase):
    def setUp(self) -> None:
        self.route = make_route(make_endpoint(slug="orders"), name="book it")
        make_dead(3, route=self.route)
        make_dead(1, route=self.route, status="discarded")
        make_dead(2)

    def test_is_given_and_said_in_one_line(self) -> None:
        out, err = run("--endpoint", "orders", "--from-start", "--rate", "5")

        replay = Replay.objects.get()
        self.assertEqual(out, f"replay {replay.pk} of 3 deliveries is ordered\n")
        self.assertIn("no worker is alive", err)
        self.assertEqual(replay.selection, {"endpoint": "orders", "status": ["dead"]})
        self.assertEqual((replay.from_start, replay.rate_per_second, replay.created_by), (True, 5.0, "command line"))

    def test_takes_filters_and_ids(self) -> None:
        day = "2026-03-01T00:00:00Z"
        pk = str(Delivery.objects.get(status="discarded").pk)
        for words, count in (
            (("--all",), 5),
            (("--route", str(self.route.pk)), 3),
            (("--status", "dead", "--status", "discarded"), 6),
            (("--created-after", day, "--endpoint", "orders"), 3),
            (("--created-before", day), 0),
            (("--event-type", "test"), 5),
            (("--delivery", pk), 1),
        ):
            with self.subTest(words=words):
                self.assertIn(f"of {count} deliver", run(*words)[0])

    def test_only_counts_when_it_is_a_dry_run(self) -> None:
        out, _ = run("--status", "dead", "--status", "discarded", "--endpoint", "orders", "--dry-run")

        self.assertEqual(out, "would replay 4 deliveries (orders → book it: 3 dead; orders → book it: 1 discarded)\n")
        counted = json.loads(run("--endpoint", "orders", "--dry-run", "--json")[0])
        self.assertEqual((counted["total"], counted["counts"][0]["route_name"]), (3, "book it"))
        self.assertEqual(run("--endpoint", "nowhere", "--dry-run")[0], "would replay 0 deliveries\n")
        self.assertFalse(Replay.objects.exists())

    def test_is_json_for_programs(self) -> None:
        answer = json.loads(run("--all", "--json")[0])

        self.assertEqual(answer, {"id": str(Replay.objects.get().pk), "state": "pending", "total": 5, "done": 0,
                                  "succeeded": 0, "failed": 0, "skipped": 0})  # fmt: skip

    def test_is_refused_in_one_line_for_what_makes_no_sense(self) -> None:
        pk = str(Delivery.objects.all()[0].pk)
        wrong: list[tuple[tuple[str, ...], str]] = [
            ((), "say which deliveries, or --all"),
            (("--status", "held"), "cannot be replayed"),
            (("--status", "deadly"), "status: "),
            (("--endpoint", ""), "endpoint: "),
            (("--route", "orders"), "route: "),
            (("--created-after", "yesterday"), "created_after: "),
            (("--delivery", pk, "--endpoint", "orders"), "goes with no filter"),
            (("--delivery", "01a201c4-e5ab-7789-8168-142fb51cb3c7"), "There is no delivery"),
            (("--delivery", "x"), "invalid UUID"),
            (("--all", "--rate", "0"), "--rate has to be"),
            (("--all", "--rate", "nan"), "--rate has to be"),
        ]
        for words, said in wrong:
            with self.subTest(words=words), self.assertRaises(CommandError) as caught:
                run(*words)
            self.assertIn(said, str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))
        self.assertFalse(Replay.objects.exists())


class WaitTests(DrainTestCase):
    def in_background(self, work: Any) -> None:
        """Call ``work`` again and again until the test is over, as a worker process of its own would."""
        over = threading.Event()

        def repeat() -> None:
            try:
                while not over.is_set():
                    work()
                    time.sleep(0.05)
            finally:
                connections.close_all()

        thread = threading.Thread(target=repeat)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def drain(self) -> None:
        feed()
        self.work()

    def test_ends_with_the_replay_and_shows_how_far_it_is(self) -> None:
        make_dead(3)
        self.in_background(self.drain)

        out, err = run("--all", "--wait", terminal=True)

        self.assertIn("finished: 3 succeeded, 0 failed again, 0 skipped of 3 deliveries\n", out)
        self.assertIn("\rpending: 0 of 3, 0 failed again", err)

    def test_fails_when_something_failed_again(self) -> None:
        make_dead(1)
        make_dead(1, route=make_route(make_endpoint(), handler="test.fail", retry={**AT_ONCE, "max_attempts": 1}))
        self.in_background(self.drain)

        with self.assertRaisesMessage(CommandError, "1 delivery failed again"):
            run("--all", "--wait")

    def test_fails_when_somebody_cancels(self) -> None:
        make_dead(1)

        def cancel() -> None:
            for replay in Replay.objects.active():
                moves.cancel(replay.pk, now=replay.created_at)

        self.in_background(cancel)

        with self.assertRaisesMessage(CommandError, "cancelled"):
            run("--all", "--wait")
