"""Replays with an edited payload: as a verb, and through the API."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone

from deliveries.edited_replay import NotEdited, UnknownRoute, WrongPayload, edited_replay, read
from deliveries.models import AuditEntry, Delivery, Event
from deliveries.models.sealing import MASK
from tests.deliveries.admin.people import make_user
from tests.deliveries.api.cases import API, ApiTestCase, client_of
from tests.deliveries.api.cases import make_user as make_api_user
from tests.deliveries.edited_replays import EDITED, PAYLOAD, EditedReplayTestCase
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_endpoint, make_event, make_route


class EditedReplayTests(EditedReplayTestCase):
    def test_makes_an_event_like_the_one_that_came(self) -> None:
        before = Event.objects.filter(pk=self.event.pk).values().get()
        now = timezone.now()

        made = edited_replay(self.event, EDITED, by=self.user, now=now)

        made.refresh_from_db()
        self.assertEqual((made.payload, made.verdict, made.content_type), (EDITED, "internal", "application/json"))
        self.assertEqual((made.event_id, made.event_type, made.hops), ("o-1", "order.paid", 3))
        self.assertEqual(
            (made.derived_from, made.requested_by, made.flags), (self.event, "operator", ["edited_payload"])
        )
        self.assertEqual(made.headers, {"X-Shop": "1", "Content-Type": "application/json"})
        self.assertEqual(made.query_string, "a=1")
        delivery = Delivery.objects.get()
        self.assertEqual((delivery.event, delivery.route, delivery.status), (made, self.route, "pending"))
        self.assertEqual((delivery.due_at, delivery.bulk), (now, False))
        self.assertEqual(Event.objects.filter(pk=self.event.pk).values().get(), before)

    def test_runs_on_the_routes_that_take_the_new_payload(self) -> None:
        small = make_route(self.endpoint, filter="total < `100`")
        make_route(self.endpoint, filter="total > `100`")
        make_route(self.endpoint, events=["push"])
        make_route(self.endpoint, enabled=False)

        edited_replay(self.event, EDITED, by=self.user)

        self.assertEqual({row.route for row in Delivery.objects.all()}, {self.route, small})

    def test_runs_on_the_named_routes_whatever_they_filter_by(self) -> None:
        large = make_route(self.endpoint, filter="total > `100`")

        edited_replay(self.event, EDITED, by=self.user, routes=[large.pk])

        self.assertEqual(Delivery.objects.get().route, large)

    def test_knows_no_routes_of_elsewhere_or_out_of_service(self) -> None:
        for route in (make_route(make_endpoint()), make_route(self.endpoint, enabled=False)):
            with self.assertRaises(UnknownRoute):
                edited_replay(self.event, EDITED, by=self.user, routes=[self.route.pk, route.pk])
        self.assertFalse(Delivery.objects.exists())

    def test_is_done_once_for_one_order(self) -> None:
        order = uuid4()

        first = edited_replay(self.event, EDITED, by=self.user, order=order)
        second = edited_replay(self.event, EDITED, by=self.user, order=order)
        other = edited_replay(self.event, EDITED, by=self.user, order=uuid4())

        self.assertEqual(first, second)
        self.assertNotEqual(first, other)
        self.assertEqual(Delivery.objects.count(), 2)
        self.assertEqual(Event.objects.get(pk=first.pk).duplicates, 0)
        with self.assertRaisesMessage(WrongPayload, "carried out already"):
            edited_replay(self.event, {"total": 1}, by=self.user, order=order)

    def test_is_held_where_the_endpoint_is_paused(self) -> None:
        self.endpoint.state = "paused"
        self.endpoint.save()

        edited_replay(Event.objects.get(), EDITED, by=self.user)

        self.assertEqual(Delivery.objects.get().status, "held")

    def test_is_on_the_log_of_both_events_with_where_they_differ_and_no_value(self) -> None:
        payload = {**EDITED, "new": {"api_key": "k-123", "tokens": ["t-456"]}, "name": "Ada"}

        made = edited_replay(self.event, payload, by=self.user)

        of_event, of_made = AuditEntry.objects.changes().order_by("id")
        self.assertEqual((of_event.object_id, of_event.user), (str(self.event.pk), self.user))
        self.assertEqual(of_event.message, f"Replayed with an edited payload: event {made.pk}.")
        self.assertEqual(of_made.message, f"Made from the event {self.event.pk} with an edited payload.")
        self.assertEqual(of_event.before, {"total": "number"})
        self.assertEqual(of_event.after, {"total": "number", "new": "object", "name": "string"})
        self.assertEqual((of_made.before, of_made.after), (of_event.before, of_event.after))

    def test_can_be_edited_once_more(self) -> None:
        first = edited_replay(self.event, EDITED, by=self.user)

        second = edited_replay(Event.objects.get(pk=first.pk), PAYLOAD, by=self.user)

        self.assertEqual((second.derived_from_id, second.payload), (first.pk, PAYLOAD))

    def test_makes_json_of_a_form(self) -> None:
        form = make_event(self.endpoint, body=b"a=1&b=x", content_type="application/x-www-form-urlencoded")

        made = edited_replay(form, {"a": "1", "b": "y"}, by=self.user)

        self.assertEqual((made.body, made.payload), (b'{"a":"1","b":"y"}', {"a": "1", "b": "y"}))


@pytest.mark.any_database
class RefusalTests(EditedReplayTestCase):
    def assert_refused(self, text: str, payload: Any = EDITED, *, event: Event | None = None) -> None:
        kind = NotEdited if payload is EDITED else WrongPayload
        with self.assertRaisesMessage(kind, text):
            edited_replay(event or Event.objects.get(pk=self.event.pk), payload, by=self.user)
        self.assertFalse(Delivery.objects.exists())
        self.assertFalse(AuditEntry.objects.changes().exists())

    def test_of_an_endpoint_out_of_service(self) -> None:
        self.endpoint.state = "disabled"
        self.endpoint.save()
        self.assert_refused("switched off")
        self.endpoint.retire(now=timezone.now())
        self.assert_refused("switched off")

    def test_of_what_is_sensitive(self) -> None:
        self.endpoint.sensitive = True
        self.endpoint.save()
        self.assert_refused("sensitive")

    def test_of_what_is_masked(self) -> None:
        # Slack's own token is in each of its bodies.
        slack = make_endpoint(provider="slack")
        make_route(slack)
        self.assert_refused("masked", event=make_event(slack, body=b'{"token": "t-123", "type": "event_callback"}'))

    def test_of_opaque_and_lost_bodies(self) -> None:
        self.assert_refused("can read", event=make_event(self.endpoint, body=b"\x89PNG", content_type="image/png"))
        self.assert_refused("has not been kept", event=make_event(self.endpoint, raw_body=None))

    def test_of_the_same_payload_in_another_order(self) -> None:
        self.assert_refused("has not been changed", {"who": {"name": "Ada"}, "total": 250, "type": "order.paid"})

    def test_of_masks_also_in_names(self) -> None:
        for payload in ({"a": MASK}, {"a": f"Bearer {MASK}"}, {MASK: 1}, [[{"b": {MASK: 1}}]]):
            self.assert_refused("stands for a value", payload)

    def test_of_what_cannot_be_stored(self) -> None:
        deep: Any = 1
        for _ in range(101):
            deep = [deep]
        for payload, text in (
            ({"a": "\x00"}, "NUL"),
            ({"a\\\x00": 1}, "NUL"),
            ({"a": "\ud800"}, "surrogate"),
            ({"a": float("nan")}, "number"),
            ({"a": float("inf")}, "number"),
            ({"a": 10**400}, "too long"),
            (deep, "too deeply"),
            (None, "null"),
        ):
            self.assert_refused(text, payload)

    def test_of_what_is_larger_than_the_endpoint_takes(self) -> None:
        self.endpoint.max_body_bytes = 100
        self.endpoint.save()
        self.assert_refused("It has 102 bytes; the endpoint takes 100.", "x" * 100)

    def test_of_a_payload_that_no_route_takes(self) -> None:
        self.route.events = ["push"]
        self.route.save()
        self.assert_refused("No route", {"total": 2})


class BackslashTests(EditedReplayTestCase):
    def test_are_no_nul(self) -> None:
        made = edited_replay(self.event, {"a": "\\u0000"}, by=self.user)

        self.assertEqual(Event.objects.get(pk=made.pk).payload, {"a": "\\u0000"})


@pytest.mark.any_database
class LostKeyTests(Sender, TestCase):
    def test_is_named_as_the_reason(self) -> None:
        endpoint = signed_endpoint(provider="slack", settings={})
        event = make_event(endpoint, body=Fernet(Fernet.generate_key()).encrypt(b"{}"), body_is_encrypted=True)
        make_route(endpoint)

        with (
            override_settings(HUB_ENCRYPTION_KEYS=[Fernet.generate_key().decode()]),
            self.assertRaisesMessage(NotEdited, "HUB_ENCRYPTION_KEYS"),
        ):
            edited_replay(event, EDITED, by=make_user("operator"))


class ReadingTests(SimpleTestCase):
    def test_takes_every_kind_of_json(self) -> None:
        for text, value in (('{"a": 1}', {"a": 1}), ("[]", []), (' "x"\r\n', "x"), ("false", False), ("0", 0)):
            self.assertEqual(read(text), value)

    def test_names_the_line_and_the_column(self) -> None:
        with self.assertRaisesMessage(WrongPayload, "Expecting ',' delimiter, at line 2, column 10."):
            read('{\n  "a": 1 "b": 2\n}')

    def test_refuses_what_python_alone_takes_for_json(self) -> None:
        for text in ("NaN", '{"a": Infinity}', "[-Infinity]", "1" * 5000, "[" * 100_000, ""):
            with self.assertRaises(WrongPayload):
                read(text)


class TheApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint()
        self.route = make_route(self.endpoint, name="note it")
        self.event = make_event(self.endpoint, body=json.dumps(PAYLOAD).encode())
        self.url = f"{API}/events/{self.event.pk}/replay/"

    def post(self, body: Any, **options: Any) -> Any:
        return self.client.post(self.url, body, format="json", **options)

    def test_answers_with_the_new_event(self) -> None:
        answer = self.post({"payload": EDITED})

        made = Event.objects.get(derived_from=self.event)
        self.assertEqual(answer.status_code, 201)
        shown = answer.json()
        self.assertEqual(shown, self.client.get(f"{API}/events/{made.pk}/").json())
        self.assertEqual((shown["payload"], shown["derived_from"]), (EDITED, str(self.event.pk)))
        self.assertEqual((shown["requested_by"], shown["flags"]), ("ada", ["edited_payload"]))
        self.assertEqual([row["route_name"] for row in shown["deliveries"]], ["note it"])
        self.assertEqual(self.logged()[0], f"API: Replayed with an edited payload: event {made.pk}.")

    def test_runs_on_the_named_routes(self) -> None:
        other = make_route(self.endpoint)

        self.assertEqual(self.post({"payload": EDITED, "routes": [str(other.pk)]}).status_code, 201)

        self.assertEqual(Delivery.objects.get().route, other)

    def test_names_what_is_wrong(self) -> None:
        foreign = make_route(make_endpoint())
        for body, field in (
            ({}, "payload"),
            ({"payload": PAYLOAD}, "payload"),
            ({"payload": None}, "payload"),
            ({"payload": {"a": MASK}}, "payload"),
            ({"payload": EDITED, "routes": []}, "routes"),
            ({"payload": EDITED, "routes": [str(foreign.pk)]}, "routes"),
            ({"payload": EDITED, "from_start": True}, "from_start"),
        ):
            self.assert_error(self.post(body), 400, "validation_error", field)
        self.assertFalse(Delivery.objects.exists())

    def test_says_why_it_cannot(self) -> None:
        self.endpoint.retire(now=timezone.now())

        answer = self.assert_error(self.post({"payload": EDITED}), 409, "conflict")

        self.assertEqual(answer["detail"], "Its endpoint is switched off.")

    def test_is_for_operators_and_tokens_with_the_scope_to_replay(self) -> None:
        viewer, operator = make_api_user("vera", role="viewer"), make_api_user("olga", role="operator")
        for client, status in (
            (client_of(viewer), 403),
            (client_of(operator, "read"), 403),
            (client_of(operator, "read", "replay"), 201),
        ):
            answer = client.post(self.url, {"payload": EDITED}, format="json")
            self.assertEqual(answer.status_code, status, answer.content)
