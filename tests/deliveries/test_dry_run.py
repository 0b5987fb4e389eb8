"""A route on past events, with nothing done."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.http import HttpResponse
from django.test import TestCase
from django.urls import reverse
from django.utils import timezone

from deliveries import dry_run as dry_runs
from deliveries.dry_run import dry_run, past_events
from deliveries.models import Attempt, AuditEntry, Delivery, Event
from integrations.models import Endpoint, EndpointGroup, Route
from tests.deliveries.admin.people import logged_in, make_user
from tests.deliveries.api.cases import client_of
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_delivery, make_endpoint, make_event, make_route


class _Tried(TestCase):
    def setUp(self) -> None:
        self.endpoint = make_endpoint(slug="shop")
        config = {"connection": "crm", "path": "/orders/{id}"}
        self.route = make_route(self.endpoint, handler="http.request", config=config, filter="id > `5`")
        self.left = make_event(self.endpoint, body=b'{"id": 3}', event_type="order.made")
        self.taken = make_event(self.endpoint, body=b'{"id": 7}', event_type="order.made")

    def tried(self, **values: Any) -> list[dry_runs.Tried]:
        return dry_run(self.route, past_events(self.route, last=10), **values)


class DryRunTests(_Tried):
    def was_sent(self, call: str) -> Delivery:
        now = timezone.now()
        delivery = make_delivery(self.route, event=self.taken)
        Attempt.objects.create(
            delivery=delivery, number=1, trigger="first", started_at=now, finished_at=now, outcome="succeeded",
            response={"call": call, "status": 201},
        )  # fmt: skip
        return delivery

    def test_says_what_would_be_sent_and_writes_nothing(self) -> None:
        with self.assertNumQueries(2):
            taken, left = self.tried()

        self.assertEqual((taken.told.is_taken, left.told.is_taken), (True, False))
        self.assertEqual(taken.told.does["path"], "/orders/7")
        self.assertEqual(taken.told.call, "crm: POST /orders/7")
        self.assertIsNone(left.told.does)
        self.assertFalse(Delivery.objects.exists())

    def test_stands_beside_what_was_sent(self) -> None:
        self.was_sent("crm: POST /orders/7")
        (row, _) = self.tried()
        self.assertEqual((row.then[0].status, row.differs), (201, False))

        Attempt.objects.update(response={"call": "crm: POST /elsewhere", "status": 201})
        self.assertTrue(self.tried()[0].differs)
        Delivery.objects.all().delete()
        self.assertTrue(self.tried()[0].differs)

    def test_never_runs_a_handler_and_says_which_cannot_be_told(self) -> None:
        self.route.handler, self.route.config = "tests.fail", {}
        with patch.object(dry_runs, "handlers", {}):
            (row, _) = self.tried()
        self.assertIn("is not run for this", row.told.note)
        self.assertIsNone(row.told.does)

    def test_shows_nothing_of_what_is_hidden(self) -> None:
        Endpoint.objects.update(sensitive=True)

        (row, _) = self.tried()

        self.assertIsNone(row.told.is_taken)
        self.assertIn("hidden", row.told.note)

    def test_ends_in_time(self) -> None:
        with patch.object(dry_runs, "SECONDS", -1.0):
            self.assertEqual({row.told.note for row in self.tried()}, {dry_runs.OUT_OF_TIME})

    def test_takes_events_of_a_range_and_not_too_many(self) -> None:
        Event.objects.filter(pk=self.left.pk).update(received_at=self.taken.received_at.replace(year=2020))
        self.assertEqual(past_events(self.route, last=9, after=self.taken.received_at), [self.taken])
        self.assertEqual(past_events(self.route, last=9, before=self.taken.received_at), [self.left])
        with patch.object(dry_runs, "MOST", 1):
            self.assertEqual(past_events(self.route, last=9), [self.taken])

    def test_is_a_command(self) -> None:
        out = StringIO()
        call_command("dry_run", str(self.route.pk), "--format", "json", stdout=out)
        self.assertEqual(json.loads(out.getvalue())[0]["would"]["path"], "/orders/7")
        out = StringIO()
        call_command("dry_run", str(self.route.pk), stdout=out)
        self.assertIn("tried on 2 events, 1 differ; nothing was sent", out.getvalue())
        for wrong in (["0199c1d2-0000-7000-8000-000000000000"], [str(self.route.pk), "--last", "51"]):
            with self.assertRaises(CommandError):
                call_command("dry_run", *wrong)


class DryRunPageTests(_Tried):
    def setUp(self) -> None:
        super().setUp()
        self.url = reverse("admin:integrations_route_dry_run", args=[self.route.pk])
        self.client = logged_in("administrator")

    def test_shows_each_event_and_leaves_an_entry(self) -> None:
        self.assertContains(self.client.get(self.url), "Nothing is sent")
        self.assertFalse(AuditEntry.objects.filter(message__startswith="Dry run").exists())

        page = self.client.post(self.url, {"last": "10"})

        self.assertContains(page, "/orders/7")
        self.assertContains(page, "no delivery", count=2)
        self.assertEqual(AuditEntry.objects.get(message__startswith="Dry run").message, "Dry run on 2 past events.")
        self.assertContains(self.client.post(self.url, {"last": "51"}), "less than or equal to 50")

    def shadow(self, **fields: Any) -> HttpResponse:
        form = {"name": "n", "handler": "http.request", "timeout_seconds": 30, "priority": 5, "enabled": "on",
                "ordering_failure": "block", "filter": "id > `5`", "config_form": "http.request", "shadow": "yes",
                "config-connection": "crm", "config-path": "/orders/{id}"}  # fmt: skip
        return self.client.post(self.url, {**form, **fields})

    def test_compares_the_form_as_it_stands_with_the_stored_route_and_saves_nothing(self) -> None:
        stored = Route.objects.values().get()

        self.assertEqual(self.shadow().context["different"], 0)
        page = self.shadow(**{"config-path": "/new/{id}"})
        self.assertEqual(page.context["different"], 1)
        self.assertContains(page, "/new/7")
        self.assertContains(page, "/orders/7")
        self.assertEqual(self.shadow(filter="").context["different"], 1)
        self.assertContains(self.shadow(filter="id >"), "filter: Not a JMESPath")
        self.assertEqual(Route.objects.values().get(), stored)

    def test_is_for_those_who_change_routes_that_they_see(self) -> None:
        user = make_user("administrator", name="sam")
        restrict(user, EndpointGroup.objects.create(name="ours"))
        self.client.force_login(user)
        self.assertEqual(self.client.post(self.url, {"last": 1}).status_code, 404)
        self.client = logged_in("viewer")
        self.assertEqual(self.client.post(self.url, {"last": 1}).status_code, 403)


class DryRunApiTests(_Tried):
    def post(self, role: str, **body: Any) -> Any:
        return client_of(make_user(role, name=f"{role}-{len(body)}-{User.objects.count()}")).post(
            f"/api/v1/routes/{self.route.pk}/dry-run/", body, format="json"
        )

    def test_answers_what_the_route_would_do_and_leaves_an_entry(self) -> None:
        answer = self.post("administrator", last=1)

        (row,) = answer.json()["results"]
        self.assertEqual((row["would"]["path"], row["differs"], row["then"]), ("/orders/7", True, []))
        self.assertTrue(AuditEntry.objects.filter(message="Dry run on 1 past events.").exists())
        self.assertEqual(self.post("administrator", last=51).status_code, 400)
        self.assertEqual(self.post("viewer").status_code, 403)
