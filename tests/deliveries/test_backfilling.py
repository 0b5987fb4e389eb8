"""Runs of backfills: by order, by schedule, by several workers, and by one that dies."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from deliveries import backfilling
from deliveries.execution.backfiller import Backfiller
from deliveries.execution.stopping import StopFlag
from deliveries.models import AuditEntry, Backfill, BackfillRun, Event, RunState
from deliveries.retention import BACKFILL_RUN_AGE, prune_some_backfill_runs
from integrations.models import Connection, EndpointGroup
from tests.deliveries.admin.people import make_user
from tests.deliveries.api.at_once import at_once
from tests.factories import make_endpoint
from tests.integrations.history import TOKEN, GitHub, serving
from tests.running_hub import ROOT

HOOK = {"repository": "octo-org/hello", "hook": 42}


def make_connection(**values: Any) -> Connection:
    usual = {"base_url": "https://api.github.com", "auth": "bearer", "credentials": {"token": TOKEN}}
    return Connection.objects.create(**{"name": f"github-{Connection.objects.count()}", **usual, **values})


def make_backfill(**values: Any) -> Backfill:
    endpoint = make_endpoint(provider="github", secret="s3cret")
    usual = {"connection": values.pop("connection", None) or make_connection(), "source": HOOK}
    return Backfill.objects.create(endpoint=endpoint, **{**usual, **values})


def sent_lately(count: int = 4) -> GitHub:
    now = timezone.now()
    return GitHub([(f"guid-{n}", (now - timedelta(minutes=10 * n)).isoformat()) for n in range(1, count + 1)])


class RunTests(TestCase):
    def setUp(self) -> None:
        self.row = make_backfill()
        self.user = make_user("operator")

    def ordered(self) -> BackfillRun:
        return backfilling.order(self.row, by=self.user)

    def work(self, server: GitHub, **options: Any) -> bool:
        with serving(server) as api:
            return backfilling.work(holder="here:1", **{"api_of": lambda row: api, **options})

    def test_stores_what_is_missing_and_says_how_much(self) -> None:
        run = self.ordered()
        self.assertTrue(self.work(sent_lately()))

        run.refresh_from_db()
        self.row.refresh_from_db()
        self.assertEqual((run.state, run.asked, run.stored, run.created_by), ("finished", 4, 4, "operator"))
        self.assertEqual(self.row.asked_until, run.until)
        self.assertEqual(Event.objects.filter(verdict="backfilled").count(), 4)
        self.assertEqual(AuditEntry.objects.get().message, "Backfill ordered.")
        self.assertFalse(self.work(sent_lately()))

    def test_is_one_at_a_time(self) -> None:
        self.ordered()
        with self.assertRaises(backfilling.NotOrdered):
            self.ordered()

        self.assertEqual((BackfillRun.objects.count(), AuditEntry.objects.count()), (1, 1))

    def test_asks_again_later_where_the_provider_does_not_answer(self) -> None:
        run, server = self.ordered(), sent_lately()
        server.failing["v2"] = 500
        self.work(server)
        run.refresh_from_db()
        self.assertEqual((run.state, run.tries, run.stored, run.cursor), ("open", 1, 2, "v2"))
        self.assertIn("500", run.problem)
        self.assertFalse(self.work(server))  # not before its pause is over

        server.failing.clear()
        BackfillRun.objects.update(free_at=timezone.now())
        self.work(server)
        run.refresh_from_db()
        self.assertEqual((run.state, run.asked, run.stored, run.problem), ("finished", 4, 4, ""))

    def test_gives_up_in_the_end(self) -> None:
        run, server = self.ordered(), sent_lately()
        server.failing[""] = 503
        for _ in range(backfilling.MOST_TRIES):
            BackfillRun.objects.update(free_at=timezone.now())
            self.work(server)

        run.refresh_from_db()
        self.assertEqual((run.state, run.problem), ("failed", "the provider answered with status 503"))

    def test_fails_at_once_where_the_token_is_refused_and_does_not_show_it(self) -> None:
        run = self.ordered()
        server = sent_lately()
        server.failing[""] = 401
        self.work(server)

        run.refresh_from_db()
        self.assertEqual(run.state, "failed")
        self.assertNotIn(TOKEN, run.problem)

    def test_names_a_reference_that_leads_nowhere(self) -> None:
        Connection.objects.filter(pk=self.row.connection_id).update(credentials={"token": "env:HUB_SECRET_NOT_THERE"})
        run = self.ordered()
        backfilling.work(holder="here:1")

        run.refresh_from_db()
        self.assertEqual(run.state, "failed")
        self.assertIn("HUB_SECRET_NOT_THERE", run.problem)

    def test_asks_by_no_connection_that_is_not_for_its_endpoint_any_more(self) -> None:
        theirs = EndpointGroup.objects.create(name="theirs")
        Connection.objects.filter(pk=self.row.connection_id).update(group=theirs)
        run = self.ordered()
        backfilling.work(holder="here:1")

        run.refresh_from_db()
        self.assertEqual((run.state, run.asked), ("failed", 0))
        self.assertIn("not for endpoints of this group", run.problem)

    def test_is_given_back_when_the_worker_stops(self) -> None:
        run = self.ordered()
        self.work(sent_lately(), stops=lambda: Event.objects.count() >= 3)
        run.refresh_from_db()
        self.assertEqual((run.state, run.holder, run.stored, run.cursor), ("open", "", 2, "v2"))

        self.work(sent_lately())
        run.refresh_from_db()
        self.assertEqual((run.state, run.asked, run.stored, run.known), ("finished", 4, 3, 1))

    def test_is_gone_on_with_when_its_worker_died(self) -> None:
        run = self.ordered()
        now = timezone.now()
        self.assertIsNotNone(BackfillRun.objects.take(holder="dead:1", now=now, lease=backfilling.LEASE))
        self.assertFalse(self.work(sent_lately()))

        BackfillRun.objects.update(free_at=now)  # the lease is over
        self.work(sent_lately())
        run.refresh_from_db()
        self.assertEqual((run.state, run.stored), ("finished", 4))

    def test_is_left_to_the_one_who_has_it_now(self) -> None:
        run = self.ordered()

        def taken_over(row: Backfill) -> Any:
            BackfillRun.objects.update(holder="other:1")
            return api

        with serving(sent_lately()) as api:
            backfilling.work(holder="here:1", api_of=taken_over)

        run.refresh_from_db()
        self.assertEqual((run.state, run.holder, run.asked), ("open", "other:1", 0))

    def test_is_forgotten_after_a_time(self) -> None:
        self.ordered()
        self.work(sent_lately())

        self.assertEqual(prune_some_backfill_runs(now=timezone.now()), 0)
        self.assertEqual(prune_some_backfill_runs(now=timezone.now() + BACKFILL_RUN_AGE + timedelta(hours=1)), 1)


class ScheduleTests(TestCase):
    def test_orders_what_is_due_once(self) -> None:
        now = timezone.now()
        row = make_backfill(interval_minutes=30, next_at=now)
        make_backfill(interval_minutes=30, next_at=now + timedelta(minutes=1))
        make_backfill()

        self.assertEqual((backfilling.order_due(now), backfilling.order_due(now)), (1, 0))
        run = BackfillRun.objects.get()
        self.assertEqual((run.backfill, run.since, run.created_by), (row, now - timedelta(minutes=121), "schedule"))
        row.refresh_from_db()
        self.assertEqual(row.next_at, now + timedelta(minutes=30))

    def test_looks_back_to_the_last_that_succeeded(self) -> None:
        now = timezone.now()
        make_backfill(interval_minutes=30, next_at=now, asked_until=now - timedelta(hours=10))
        make_backfill(interval_minutes=30, next_at=now, asked_until=now - timedelta(days=10))
        backfilling.order_due(now)

        backs = sorted(now - run.since for run in BackfillRun.objects.all())
        # GitHub knows of three days.
        self.assertEqual(backs, [timedelta(hours=10, minutes=1), timedelta(days=3)])

    def test_leaves_disabled_endpoints_alone(self) -> None:
        now = timezone.now()
        row = make_backfill(interval_minutes=30, next_at=now)
        row.endpoint.state = "disabled"
        row.endpoint.save()

        self.assertEqual(backfilling.order_due(now), 0)


class SourceTests(TestCase):
    def test_is_checked_against_what_the_provider_is_asked_with(self) -> None:
        for provider, source in (("github", {"repository": "hello", "hook": 1}), ("stripe", HOOK), ("line", {})):
            row = Backfill(endpoint=make_endpoint(provider=provider), connection=make_connection(), source=source)
            with self.subTest(provider), self.assertRaises(ValidationError):
                row.full_clean()


class FullDiskTests(TestCase):
    @override_settings(HUB_DATABASE_DIR=str(ROOT), HUB_DISK_FREE_MB=10**9)
    def test_is_filled_by_no_backfill(self) -> None:
        make_backfill(interval_minutes=30, next_at=timezone.now())

        Backfiller(StopFlag()).step(timezone.now())

        self.assertFalse(BackfillRun.objects.exists())


@override_settings(HUB_EGRESS_ALLOW=[ip_network("127.0.0.0/8")])
class WorkersTests(TransactionTestCase):
    def test_have_one_run_between_them(self) -> None:
        row = make_backfill(interval_minutes=30, next_at=timezone.now())
        stop = StopFlag()

        def step(number: int) -> None:
            backfiller = Backfiller(stop)
            backfiller.step(timezone.now())
            backfiller.join(20)

        with serving(sent_lately()) as api:
            Connection.objects.update(base_url=str(api.base_url))
            at_once(4, step)

        run = BackfillRun.objects.get()
        self.assertEqual((run.backfill, run.state, run.asked, run.stored), (row, RunState.FINISHED, 4, 4))
        self.assertEqual(Event.objects.count(), 4)


@override_settings(HUB_EGRESS_ALLOW=[ip_network("127.0.0.0/8")])
class ConnectionTests(TransactionTestCase):
    def asked(self, server: GitHub, **values: Any) -> BackfillRun:
        """Return the run that has asked ``server`` by a connection with ``values``, once."""
        with serving(server) as api:
            row = make_backfill(connection=make_connection(base_url=str(api.base_url), **values))
            run = backfilling.order(row, by=User.objects.create_user("ada"))
            backfilling.work(holder="here:1")
        run.refresh_from_db()
        return run

    def test_is_asked_by_in_its_turn(self) -> None:
        run = self.asked(sent_lately(2), rate_per_second=20, burst=1)

        self.assertEqual((run.state, run.stored, run.tries), ("finished", 2, 0))

    def test_that_is_paused_is_asked_by_later(self) -> None:
        run = self.asked(sent_lately(), state="paused")

        self.assertEqual((run.state, run.asked, run.tries), ("open", 0, 1))
        self.assertIn("is paused", run.problem)

    def test_that_may_not_reach_so_far_ends_the_run(self) -> None:
        run = self.asked(sent_lately(), egress=[])

        self.assertEqual((run.state, run.tries), ("failed", 0))
        self.assertIn("is not a public address", run.problem)

    def test_tries_again_by_itself_what_fails_once(self) -> None:
        class Faltering(GitHub):
            def __call__(self, path: str, params: dict[str, str]) -> tuple[int, dict[str, str], Any]:
                if not self.asked:
                    self.asked.append(path)
                    return 502, {}, {"message": "no"}
                return super().__call__(path, params)

        sent = sent_lately(1)
        server = Faltering([(item["guid"], item["delivered_at"]) for item in sent.items])
        run = self.asked(server, retry={"max_attempts": 2, "initial_seconds": 0.01, "max_seconds": 0.01})

        self.assertEqual((run.state, run.stored, run.tries), ("finished", 1, 0))
