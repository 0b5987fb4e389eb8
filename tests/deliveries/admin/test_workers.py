"""The pages of workers."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries.models import Delivery, Worker
from tests.deliveries.admin.people import logged_in
from tests.factories import make_delivery, make_endpoint, make_route

LIST = "/admin/deliveries/worker/"


def make_worker(name: str, *, silent: bool = False, running: int = 0, **facts: object) -> Worker:
    host, _, pid = name.partition(":")
    now = timezone.now()
    worker = Worker.objects.create(
        name=name, host=host, pid=int(pid), started_at=now, beat_at=now - timedelta(minutes=3 * silent), **facts
    )
    route = make_route(make_endpoint(slug=f"of-{host}"), name="Book in the ERP")
    for _ in range(running):
        make_delivery(route, status="running", worker=name, lease_until=now + timedelta(seconds=15), attempt_count=1)
    return worker


class WorkerListTests(TestCase):
    def test_says_who_is_alive_stopping_and_silent(self) -> None:
        make_worker("alive:1", version="2.1")
        make_worker("stopping:2", stopping=True)
        make_worker("silent:3", silent=True, stopping=True)

        page = logged_in("viewer").get(LIST).content.decode()

        for kind, text in (("success", "alive"), ("warning", "stopping"), ("danger", "silent")):
            self.assertEqual(page.count(f'<span class="hub-label hub-{kind}">{text}</span>'), 1)
        self.assertIn("2.1", page)

    def test_links_what_each_runs(self) -> None:
        make_worker("busy:1", running=5, threads=16)
        make_worker("idle:2", threads=16)

        page = logged_in("viewer").get(LIST)

        self.assertContains(page, "5 of 16")
        self.assertContains(page, "0 of 16")
        self.assertContains(page, "2 more")
        linked = [pk for pk in Delivery.objects.values_list("pk", flat=True) if str(pk) in page.content.decode()]
        self.assertEqual(len(linked), 3)

    def test_needs_as_many_queries_for_many_workers_as_for_few(self) -> None:
        client = logged_in("viewer")
        counts = []
        for start, end in ((0, 2), (2, 20)):
            for number in range(start, end):
                make_worker(f"host{number}:1", running=4)
            with CaptureQueriesContext(connection) as captured:
                client.get(LIST)
            counts.append(len(captured))

        self.assertEqual(counts[0], counts[1])


class WorkerPageTests(TestCase):
    def test_shows_the_worker_and_all_it_runs(self) -> None:
        worker = make_worker("busy:41", running=5, threads=16, version="2.1")
        Delivery.objects.filter(pk=Delivery.objects.first().pk).update(lease_until=timezone.now() - timedelta(1))

        page = logged_in("viewer").get(f"{LIST}{worker.pk}/change/")

        for text in ("busy", "41", "2.1", "16", "of-busy → Book in the ERP"):
            self.assertContains(page, text)
        self.assertContains(page, "run out</span>", 1)
        for pk in Delivery.objects.values_list("pk", flat=True):
            self.assertContains(page, f"/admin/deliveries/delivery/{pk}/change/")

    def test_is_linked_from_what_it_runs(self) -> None:
        worker = make_worker("busy:41", running=1)

        page = logged_in("viewer").get(f"/admin/deliveries/delivery/{Delivery.objects.get().pk}/change/")

        self.assertContains(page, f"{LIST}{worker.pk}/change/", 2)
        self.assertContains(page, "heard of 0 s ago")
