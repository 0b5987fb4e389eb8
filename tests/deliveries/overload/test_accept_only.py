"""Accept-only mode: events are stored, and nothing is done with them until it is switched off."""

from __future__ import annotations

from io import StringIO

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import TestCase
from django.utils import timezone

from deliveries.execution.broker import DueDeliveries
from deliveries.models import AcceptOnly, AuditEntry, DeliveryStatus, Worker
from deliveries.overload import accept_only
from deliveries.overload.judging import Room
from deliveries.overload.standing import overload
from deliveries.why import reason_of
from integrations.api.scopes import Scope
from integrations.models import EndpointGroup
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import client_of
from tests.deliveries.api.cases import make_user as api_user
from tests.deliveries.execution.drains import DrainTestCase
from tests.deliveries.overload.loads import standing
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_delivery, make_endpoint, make_route

API = "/api/v1/accept-only/"
PAGE = "/admin/deliveries/acceptonly/"


class AcceptOnlyMode(Sender, TestCase):
    def setUp(self) -> None:
        self.addCleanup(overload.forget)
        self.user = make_user("operator")

    def test_takes_in_events(self) -> None:
        accept_only.switch_on(by=self.user, now=timezone.now())
        make_route(endpoint := signed_endpoint())
        overload.refresh_if_due(timezone.now())

        self.assertTrue(overload.now.pauses_workers)
        self.assertEqual(self.send(endpoint).json()["deliveries"], 1)

    def test_is_switched_once_and_each_time_on_record(self) -> None:
        now = timezone.now()
        done = [
            accept_only.switch_on(by=self.user, note="ERP move", now=now),
            accept_only.switch_on(by=self.user, now=now),
            accept_only.switch_off(by=self.user, now=now),
            accept_only.switch_off(by=self.user, now=now),
        ]

        self.assertEqual(done, [True, False, True, False])
        entries = AuditEntry.objects.filter(object_type="accept_only").order_by("pk")
        self.assertEqual(
            [(entry.who, entry.message) for entry in entries],
            [("operator", "Switched on."), ("operator", "Switched off.")],
        )

    def test_is_why_a_delivery_does_not_run(self) -> None:
        delivery = make_delivery(make_route(make_endpoint()))
        now = timezone.now()
        Worker.objects.beat("host:1", now=now, threads=4)
        accept_only.switch_on(by=self.user, now=now)
        self.assertIn("accept-only mode was switched on by operator", str(reason_of(delivery)))
        accept_only.switch_off(by=self.user, now=now)
        with standing(room=Room.LITTLE):
            self.assertIn("little is left of the database's disk", str(reason_of(delivery)))
        self.assertNotIn("disk", str(reason_of(delivery)))

    def test_is_switched_from_the_command_line(self) -> None:
        make_user("superuser")
        for order, says in (
            ("status", "accept-only mode is off\n"),
            ("on", "accept-only mode is on, since"),
            ("on", "accept-only mode is on, as before, since"),
            ("off", "accept-only mode is off\n"),
            ("off", "accept-only mode is off, as before\n"),
        ):
            out = StringIO()
            call_command("accept_only", order, stdout=out)
            self.assertTrue(out.getvalue().startswith(says), (order, out.getvalue()))


class TheLoadPage(TestCase):
    def setUp(self) -> None:
        self.addCleanup(overload.forget)

    def test_switches_the_mode_for_who_may(self) -> None:
        client = logged_in("operator")

        page = client.post(f"{PAGE}order/on/", {"note": "ERP move"}, follow=True).content.decode()

        self.assertEqual(AcceptOnly.objects.get().note, "ERP move")
        self.assertIn("by operator: ERP move", page)
        client.post(f"{PAGE}order/off/")
        self.assertFalse(AcceptOnly.objects.exists())

    def test_changes_nothing_by_get_or_for_who_may_only_look(self) -> None:
        self.assertEqual(logged_in("operator").get(f"{PAGE}order/on/").status_code, 405)
        viewer = logged_in("viewer")
        self.assertEqual(viewer.post(f"{PAGE}order/on/").status_code, 403)
        page = viewer.get(PAGE)

        self.assertEqual((page.status_code, AcceptOnly.objects.exists()), (200, False))
        self.assertNotIn("Switch on", page.content.decode())

    def test_lets_nobody_switch_who_is_restricted_to_groups(self) -> None:
        client = logged_in("operator")
        restrict(User.objects.get(username="operator"), EndpointGroup.objects.create(name="ours"))

        self.assertEqual(client.post(f"{PAGE}order/on/").status_code, 403)
        self.assertNotIn("Switch on", client.get(PAGE).content.decode())

    def test_says_what_is_refused(self) -> None:
        client = logged_in("viewer")
        with standing(pressure=5.5):
            self.assertIn("priority below 5.5", client.get(PAGE).content.decode())
        with standing(room=Room.NONE):
            self.assertIn('<span class="hub-label hub-danger">full</span>', client.get(PAGE).content.decode())


class TheApi(TestCase):
    def setUp(self) -> None:
        self.addCleanup(overload.forget)
        self.user = api_user("olga", role="operator")

    def test_switches_the_mode_and_says_how_it_stands(self) -> None:
        client = client_of(self.user)
        off = {"on": False, "who": "", "since": None, "note": ""}

        self.assertEqual(client.get(API).json(), off)
        made = client.post(API, {"note": "ERP move"}, format="json")
        self.assertEqual((made.status_code, made.json()), (200, client.get(API).json()))
        self.assertEqual((made.json()["on"], made.json()["who"], made.json()["note"]), (True, "olga", "ERP move"))
        self.assertEqual(client.post(API, {"note": "another"}, format="json").json(), made.json())
        self.assertEqual([client.delete(API).status_code for _ in range(2)], [204, 204])
        self.assertEqual(client.get(API).json(), off)
        entries = AuditEntry.objects.filter(object_type="accept_only").order_by("pk")
        self.assertEqual([entry.message for entry in entries], ["Switched on.", "Switched off."])

    def test_refuses_notes_that_are_too_long_and_other_fields(self) -> None:
        for body in ({"note": "x" * 201}, {"until": "tomorrow"}):
            self.assertEqual(client_of(self.user).post(API, body, format="json").status_code, 400)
        self.assertFalse(AcceptOnly.objects.exists())

    def test_lets_nobody_switch_who_is_restricted_or_whose_token_may_only_read(self) -> None:
        self.assertEqual(client_of(self.user, Scope.READ).post(API).status_code, 403)
        restrict(self.user, EndpointGroup.objects.create(name="ours"))
        client = client_of(self.user)

        self.assertEqual([client.post(API).status_code, client.delete(API).status_code], [403, 403])
        self.assertEqual(client.get(API).status_code, 200)
        self.assertFalse(AcceptOnly.objects.exists())


class WorkersInAcceptOnlyMode(DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        overload.forget()
        self.addCleanup(overload.forget)

    def test_begin_nothing_until_it_is_off(self) -> None:
        user = make_user("superuser")
        accept_only.switch_on(by=user, now=timezone.now())
        broker = DueDeliveries()
        delivery = make_delivery(make_route(make_endpoint()))
        broker.dequeue()  # the idle order
        self.assertIsNone(broker.dequeue())
        self.background("paused:1").start().join()
        delivery.refresh_from_db()
        self.assertEqual((delivery.status, delivery.attempt_count), (DeliveryStatus.PENDING, 0))

        accept_only.switch_off(by=user, now=timezone.now())
        overload.forget()
        self.assertIsNotNone(broker.dequeue())
        self.background("awake:2").start().join()
        delivery.refresh_from_db()
        self.assertEqual(delivery.status, DeliveryStatus.SUCCEEDED)
