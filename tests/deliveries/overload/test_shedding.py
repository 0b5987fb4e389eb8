"""What senders get when there is more than the hub can take."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from django.test import TestCase, override_settings
from django.utils import timezone

from deliveries.models import Event, Rejection, Rollup
from deliveries.models.rollup import Grain, Measure
from deliveries.overload.judging import Room
from deliveries.overload.standing import Overload
from deliveries.receiving.samples import send_sample
from deliveries.receiving.tally import tally
from deliveries.stats import queue
from deliveries.stats.counting import counting
from tests.deliveries.overload.loads import standing
from tests.deliveries.receiving.cases import SECRET, Sender, signature, signed_endpoint
from tests.factories import make_delivery, make_endpoint, make_route


class AnOverloadedHub(Sender, TestCase):
    def setUp(self) -> None:
        self.low, self.critical = (signed_endpoint(slug=slug, priority=p) for slug, p in (("low", 2), ("critical", 9)))
        tally.take()
        counting.take()

    def test_refuses_low_priorities_and_takes_in_the_others(self) -> None:
        with standing(queue_bar=5):
            refused, taken = self.send(self.low), self.send(self.critical)

        self.assertEqual((refused.status_code, refused.json()), (503, {"error": "unavailable"}))
        self.assertTrue(15 <= int(refused["Retry-After"]) <= 45)
        self.assertEqual(taken.json()["status"], "accepted")
        self.assertEqual(Event.objects.get().endpoint, self.critical)

    def test_throws_the_dice_once_for_each_request(self) -> None:
        with standing(pressure=2.5), mock.patch("random.random", side_effect=[0.6, 0.1, 0.1, 0.1]):
            self.assertEqual([self.send(self.low).status_code for _ in range(2)], [200, 503])

    def test_gives_every_answer_its_request_id_and_length(self) -> None:
        with standing(queue_bar=5):
            answer = self.send(self.low, headers={"X-Request-ID": "mine"})

        self.assertEqual((answer.status_code, answer["X-Request-ID"]), (503, "mine"))
        self.assertEqual(answer["Content-Length"], str(len(answer.content)))

    def test_answers_as_ever_where_there_is_no_endpoint_and_to_other_methods(self) -> None:
        with standing(queue_bar=10):
            self.assertEqual(self.client.post("/hooks/nobody").status_code, 404)
            self.assertEqual(self.client.get("/hooks/low").status_code, 405)

    def test_takes_in_again_what_it_refused(self) -> None:
        with standing(pressure=9.0):
            self.send(self.low, event_id="1")

        self.assertEqual(self.send(self.low, event_id="1").json()["status"], "accepted")

    def test_refuses_before_it_reads_or_proves_anything(self) -> None:
        with standing(queue_bar=5):
            self.send(self.low)  # the endpoint is known from here on
            with self.assertNumQueries(0):
                self.assertEqual(self.send(self.low, secret="wrong").status_code, 503)

    def test_counts_what_it_refuses_and_keeps_nothing_of_it(self) -> None:
        with standing(queue_bar=5), self.assertNoLogs("django.request", "ERROR"):
            for _ in range(3):
                self.send(self.low)
        counting.flush()

        self.assertFalse(Rejection.objects.exists())
        refused = Rollup.objects.get(endpoint=self.low.pk, measure=Measure.REFUSED, grain_minutes=Grain.DAY)
        self.assertEqual(refused.count, 3)
        self.assertEqual({reason for _, reason, _ in tally.take()}, {"shed"})

    def test_answers_test_events_of_its_own(self) -> None:
        with standing(queue_bar=10):
            self.assertEqual(send_sample(self.low)[0], 200)

    def test_does_so_at_the_shared_url_too(self) -> None:
        make_endpoint(provider="github", secret=SECRET, shared_url=True, priority=2)
        body = b'{"action": "opened"}'
        headers = {"X-Hub-Signature-256": f"sha256={signature(body, SECRET)}", "X-GitHub-Event": "issues"}
        with standing(queue_bar=5):
            refused = self.client.generic("POST", "/hooks", body, "application/json", headers=headers)
        taken = self.client.generic("POST", "/hooks", body, "application/json", headers=headers)

        self.assertEqual((refused.status_code, taken.status_code), (503, 200))


class AFullDisk(Sender, TestCase):
    def setUp(self) -> None:
        self.endpoint = signed_endpoint(priority=9)
        tally.take()

    def test_refuses_every_event_before_the_database_fails(self) -> None:
        with standing(room=Room.NONE):
            answer = self.send(self.endpoint)

        self.assertEqual((answer.status_code, answer["Retry-After"]), (503, "300"))
        self.assertFalse(Event.objects.exists())

    def test_that_is_not_yet_full_takes_in_events_and_keeps_no_rejections(self) -> None:
        with standing(room=Room.LITTLE):
            refused, taken = self.send(self.endpoint, secret="wrong"), self.send(self.endpoint)

        self.assertEqual((refused.status_code, taken.status_code), (401, 200))
        self.assertFalse(Rejection.objects.exists())
        self.assertEqual([(self.endpoint.pk, 1)], [(cell[0], count) for cell, count in tally.take().items()])


class TheAgeOfTheQueue(TestCase):
    def setUp(self) -> None:
        self.now = timezone.now()

    def waiting(self, seconds: float, *, priority: int = 5, **route: object) -> None:
        made = make_route(make_endpoint(priority=priority), **route)
        make_delivery(made, now=self.now - timedelta(seconds=seconds))

    def test_is_that_of_the_oldest_due_delivery_of_each_priority(self) -> None:
        self.waiting(10)
        self.waiting(30)
        self.waiting(60, priority=1)
        self.waiting(-60, priority=7)

        found = queue.ages_by_priority(self.now)

        self.assertEqual({priority: round(age) for priority, age in found.items()}, {5: 30, 1: 60})

    def test_leaves_out_what_no_free_worker_would_take(self) -> None:
        self.waiting(10, paused=True)
        limited = make_route(make_endpoint(), concurrency=1)
        lease = self.now + timedelta(seconds=15)
        make_delivery(limited, status="running", worker="w", lease_until=lease, attempt_count=1)
        make_delivery(limited, now=self.now - timedelta(seconds=40))
        make_delivery(make_route(make_endpoint()), now=self.now - timedelta(seconds=40), bulk=True)

        self.assertEqual(queue.ages_by_priority(self.now), {})

    @override_settings(HUB_SHED_QUEUE_SECONDS=20)
    def test_is_looked_at_each_second_and_not_by_requests(self) -> None:
        self.waiting(60, priority=5)
        clock = [0.0]
        overload = Overload(clock=lambda: clock[0])

        self.assertEqual(overload.refresh_if_due(self.now).queue_bar, 6)
        clock[0] = 0.9
        with self.assertNumQueries(0):
            self.assertTrue(overload.refresh_if_due(self.now).sheds(5, dice=0.5))
        clock[0] = 1.1
        with self.assertNumQueries(2):
            overload.refresh_if_due(self.now)

    def test_costs_nothing_where_it_is_not_asked_for(self) -> None:
        with self.assertNumQueries(1):
            self.assertFalse(Overload().refresh_if_due(self.now).is_shedding)
