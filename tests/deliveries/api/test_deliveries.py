"""``/deliveries/``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from deliveries.models import Attempt, Delivery, StepResult
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_delivery, make_endpoint, make_event, make_route

URL = f"{API}/deliveries/"


def make_attempt(delivery: Delivery, *, number: int = 1, **values: object) -> Attempt:
    started = datetime(2026, 11, 22, 10, tzinfo=UTC)
    return Attempt.objects.create(
        **{
            "delivery": delivery,
            "number": number,
            "trigger": "first",
            "started_at": started,
            "finished_at": started + timedelta(milliseconds=250),
            "outcome": "failed",
            "error_type": "ValueError",
            "error_message": "no contact",
            "traceback": "Traceback ...",
            "log": [{"message": "looked"}],
            "response": {"status": 500},
            **values,
        }
    )


class DeliveryCase(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.route = make_route(make_endpoint(slug="orders"), name="note it")

    def dead(self) -> Delivery:
        return make_delivery(self.route, status="dead", finished_at=timezone.now(), attempt_count=1)


class DeliveryTests(DeliveryCase):
    def find(self, **parameters: object) -> set[str]:
        response = self.client.get(URL, parameters)
        self.assertEqual(response.status_code, 200, response.content)
        return {item["id"] for item in response.json()["results"]}

    def test_show_every_field_of_the_contract(self) -> None:
        delivery = self.dead()
        make_attempt(delivery)

        item = self.client.get(f"{URL}{delivery.pk}/").json()

        self.assertEqual(
            set(item),
            {
                "id", "event", "event_type", "endpoint", "route", "route_name", "handler", "status",
                "ordering_key", "attempt_count", "created_at", "due_at", "finished_at", "reason", "attempts",
                "steps",
            },
        )  # fmt: skip
        self.assertEqual((item["endpoint"], item["route_name"], item["handler"]), ("orders", "note it", "log"))
        self.assertEqual((item["event"], item["route"]), (str(delivery.event_id), str(self.route.pk)))
        self.assertTrue(item["reason"])
        self.assertEqual(
            item["attempts"],
            [
                {
                    "number": 1,
                    "trigger": "first",
                    "requested_by": "",
                    "started_at": "2026-11-22T10:00:00Z",
                    "finished_at": "2026-11-22T10:00:00.250000Z",
                    "duration_ms": 250.0,
                    "outcome": "failed",
                    "error_type": "ValueError",
                    "error_message": "no contact",
                    "traceback": "Traceback ...",
                    "log": [{"message": "looked"}],
                    "response": {"status": 500},
                    "calls": [],
                }
            ],
        )

    def test_show_no_duration_of_a_running_attempt(self) -> None:
        delivery = make_delivery(self.route)
        make_attempt(delivery, outcome="running", finished_at=None)

        (attempt,) = self.client.get(f"{URL}{delivery.pk}/").json()["attempts"]

        self.assertIsNone(attempt["duration_ms"])

    def test_say_why_they_wait(self) -> None:
        held = make_delivery(self.route, status="held")
        due = make_delivery(self.route)

        reasons = {item["id"]: item["reason"] for item in self.client.get(URL).json()["results"]}

        self.assertIn("eld", reasons[str(held.pk)])
        self.assertIn("no worker is alive", reasons[str(due.pk)])

    def test_are_listed_with_short_attempts_in_a_fixed_number_of_queries(self) -> None:
        for _ in range(3):
            delivery = self.dead()
            make_attempt(delivery)
            make_attempt(delivery, number=2)

        # token, the user's tokens, permissions (2), deliveries with their relations, attempts; the reasons need none
        with self.assertNumQueries(6):
            listed = self.client.get(URL).json()["results"]

        self.assertEqual([attempt["number"] for attempt in listed[0]["attempts"]], [1, 2])
        self.assertNotIn("traceback", listed[0]["attempts"][0])

    def test_are_found_by_each_filter(self) -> None:
        day = datetime(2020, 11, 22, 10, tzinfo=UTC)
        other = make_route(make_endpoint(slug="sales"), handler="http.forward", config={"url": "http://example.com/"})
        old = make_delivery(self.route, now=day)
        new = make_delivery(other, event=make_event(other.endpoint, event_type="charge"), now=day + timedelta(hours=1))
        dead = self.dead()

        self.assertEqual(self.find(status="dead"), {str(dead.pk)})
        self.assertEqual(self.find(status=["dead", "pending"]), {str(d.pk) for d in (old, new, dead)})
        self.assertEqual(self.find(endpoint="sales"), {str(new.pk)})
        self.assertEqual(self.find(route=str(other.pk)), {str(new.pk)})
        self.assertEqual(self.find(handler="http.forward"), {str(new.pk)})
        self.assertEqual(self.find(event=str(old.event_id)), {str(old.pk)})
        self.assertEqual(self.find(event_type="charge"), {str(new.pk)})
        self.assertEqual(self.find(created_before="2020-11-22T11:00:00Z"), {str(old.pk)})
        self.assertEqual(self.find(created_after="2020-11-22T11:00:00Z", endpoint="sales"), {str(new.pk)})


class ReplayTests(DeliveryCase):
    def test_makes_a_finished_delivery_due_again(self) -> None:
        for status in ("succeeded", "dead", "discarded"):
            with self.subTest(status=status):
                delivery = make_delivery(self.route, status=status, finished_at=timezone.now(), attempt_count=3)

                response = self.client.post(f"{URL}{delivery.pk}/replay/")

                self.assertEqual(response.status_code, 202, response.content)
                self.assertEqual((response.json()["status"], response.json()["attempt_count"]), ("pending", 3))
                delivery.refresh_from_db()
                self.assertEqual((delivery.next_trigger, delivery.requested_by), ("replay", "ada"))
                self.assertEqual(delivery.budget_start, 3)
        self.assertEqual(self.logged(), ["API: Replayed."] * 3)

    def test_is_refused_for_a_delivery_that_has_not_finished(self) -> None:
        lease = timezone.now() + timedelta(minutes=1)
        for values in ({}, {"status": "held"}, {"status": "waiting"}, {"status": "running", "lease_until": lease}):
            with self.subTest(values=values):
                delivery = make_delivery(self.route, **values)

                answer = self.assert_error(self.client.post(f"{URL}{delivery.pk}/replay/"), 409, "conflict")

                self.assertIn(delivery.status, answer["detail"])
        self.assertEqual(self.logged(), [])

    def test_keeps_step_results_unless_it_starts_anew(self) -> None:
        kept, anew = self.dead(), self.dead()
        for delivery in (kept, anew):
            StepResult.objects.create(delivery=delivery, key="contact", value=1)

        self.client.post(f"{URL}{kept.pk}/replay/", {"from_start": False})
        self.client.post(f"{URL}{anew.pk}/replay/", {"from_start": True})

        self.assertEqual(list(StepResult.objects.values_list("delivery", flat=True)), [kept.pk])

    def test_refuses_words_it_does_not_know(self) -> None:
        delivery = self.dead()

        for body in ({"from_begining": True}, {"from_start": "perhaps"}):
            response = self.client.post(f"{URL}{delivery.pk}/replay/", body)
            self.assert_error(response, 400, "validation_error", *body)
        for body in ([], "x", 1):
            response = self.client.post(f"{URL}{delivery.pk}/replay/", body)
            self.assert_error(response, 400, "validation_error")
        delivery.refresh_from_db()
        self.assertEqual(delivery.status, "dead")

    def test_is_for_operators(self) -> None:
        delivery = self.dead()

        viewer, operator = (client_of(make_user(role, role=role)) for role in ("viewer", "operator"))

        self.assert_error(viewer.post(f"{URL}{delivery.pk}/replay/"), 403, "permission_denied")
        self.assertEqual(operator.post(f"{URL}{delivery.pk}/replay/").status_code, 202)


class DiscardTests(DeliveryCase):
    def test_ends_a_delivery_that_waits(self) -> None:
        for status in ("pending", "held", "waiting"):
            with self.subTest(status=status):
                delivery = make_delivery(self.route, status=status)

                response = self.client.post(f"{URL}{delivery.pk}/discard/", {"reason": "sent by mistake"})

                self.assertEqual((response.status_code, response.json()["status"]), (200, "discarded"))
                self.assertIn("sent by mistake", response.json()["reason"])
                self.assertIn("ada", response.json()["reason"])
        self.assertEqual(self.logged(), ["API: Discarded."] * 3)

    def test_ends_a_dead_letter_that_nobody_is_going_to_replay(self) -> None:
        response = self.client.post(f"{URL}{self.dead().pk}/discard/", {"reason": "refunded by hand"})

        self.assertEqual((response.status_code, response.json()["status"]), (200, "discarded"))

    def test_is_refused_once_it_has_succeeded(self) -> None:
        done = make_delivery(self.route, status="succeeded", finished_at=timezone.now())

        self.assert_error(self.client.post(f"{URL}{done.pk}/discard/"), 409, "conflict")
