"""Events and deliveries stored by statements of the hub's own are what Django's would have stored."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from deliveries.models import Delivery, Event, EventVariant, KeptKey, Verdict
from deliveries.models.inserting import can_insert_at_once
from deliveries.models.unsaved import unsaved
from deliveries.receiving import endpoints, ingest, queueing
from deliveries.receiving.drafts import draft, look_for_replay
from integrations.contracts import InboundRequest, case_insensitive
from integrations.models import Endpoint, Route
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_endpoint, make_event, make_route

_TEXT = st.text(st.characters(codec=None), max_size=20)
_MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def received(body: bytes, headers: dict[str, str], *, query: str = "", source: str = "") -> InboundRequest:
    return InboundRequest(
        method="POST",
        url="https://hub.example.com/hooks/x",
        query_string=query,
        headers=case_insensitive(headers),
        body=body,
        received_at=_MOMENT,
        source=source,
        request_id="r" * 32,
    )


def columns(row: Any) -> dict[str, Any]:
    """Return what the database has of ``row``; of a delivery without the id that each gets anew."""
    found = type(row).objects.filter(pk=row.pk).values().get()
    if isinstance(row, Event):  # each encryption is another text
        stored = Event.objects.get(pk=row.pk)
        found["sealed"] = (dict(stored.original_headers), stored.original_query_string)
    return {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in found.items()
        if not (name == "id" and isinstance(row, Delivery))
    }


class WhatTheHubStores(HypothesisTestCase):
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        body=st.binary(max_size=40),
        headers=st.dictionaries(st.sampled_from(["X-Event-Id", "X-One", "Authorization", "Content-Type"]), _TEXT),
        query=_TEXT,
        verdict=st.sampled_from(Verdict.values),
        state=st.sampled_from(["active", "paused"]),
        sensitive=st.booleans(),
        pauses_one=st.booleans(),
        is_known=st.booleans(),
    )
    def test_is_what_django_would_have_stored(
        self,
        body: bytes,
        headers: dict[str, str],
        query: str,
        verdict: str,
        state: str,
        sensitive: bool,
        pauses_one: bool,
        is_known: bool,
    ) -> None:
        row = signed_endpoint(state=state, sensitive=sensitive)
        make_route(row), make_route(row, paused=pauses_one)
        live = endpoints.live(row)
        request = received(body, headers, query=query, source="192.0.2.1")
        event = draft(live, request, {"a": 1}, verdict=Verdict(verdict))
        look = look_for_replay(event, live)
        if is_known:
            make_event(row, body=body, dedupe_key="id:another")

        ingest.store(event, ingest.wanted_of(event, live, {"a": 1}), live, request, look=look, now=_MOMENT)
        ours = columns(event), [columns(made) for made in Delivery.objects.filter(event=event).order_by("route_id")]
        Delivery.objects.all().delete()
        Event.objects.filter(pk=event.pk).delete()
        if is_known and look is not None:
            event.flags = ["possible_replay"]
        event.save(force_insert=True)
        held = [route for route in live.routes if route.paused or state == "paused"]
        for route in live.routes:
            status = "held" if route in held else "pending"
            Delivery(event=event, endpoint=row, route=route, status=status, due_at=_MOMENT, created_at=_MOMENT).save(
                force_insert=True
            )

        django = columns(event), [columns(made) for made in Delivery.objects.filter(event=event).order_by("route_id")]
        self.assertEqual(ours, django)
        Endpoint.objects.filter(pk=row.pk).update(state="disabled")


class ARequestThatComesOnceMoreTests(TestCase):
    """Each way in which it may differ from the first, by the one statement and by one statement after the other."""

    def outcome(self, *, at_once: bool, dedupe: str, body: bytes, age: timedelta, verdict: Verdict) -> dict[str, Any]:
        row = signed_endpoint(dedupe=dedupe, dedupe_seconds=60)
        make_route(row)
        live = endpoints.live(row)
        first, again = received(b"{}", {"X-Event-Id": "1"}), received(body, {"X-Event-Id": "1"})
        then = replace(first, received_at=_MOMENT - age)
        takes_one = patch.object(queueing, "can_insert_at_once", return_value=at_once)
        with takes_one, patch.object(ingest, "_count", wraps=ingest._count) as counted:
            ingest.accept(live, then, {}, verdict=Verdict.VERIFIED)
            found = ingest.accept(live, again, {}, verdict=verdict)
        stored = Event.objects.filter(endpoint=row).order_by("received_at")
        return {
            "status": found.as_json()["status"],
            "is_first": found.event_id == stored[0].pk,
            "stored": list(stored.values_list("verdict", "duplicates", "flags")),
            "deliveries": Delivery.objects.filter(endpoint=row).count(),
            "others": EventVariant.objects.filter(event__endpoint=row).count(),
            "is_counted_apart": counted.called,
        }

    def test_becomes_the_same_by_one_statement_as_one_by_one(self) -> None:
        can = can_insert_at_once("default")
        for dedupe, body, seconds, verdict in itertools.product(
            ("id", "body"), (b"{}", b"[1]"), (59, 60), (Verdict.VERIFIED, Verdict.BACKFILLED, Verdict.INTERNAL)
        ):
            case: dict[str, Any] = {"dedupe": dedupe, "body": body, "age": timedelta(seconds=seconds)}
            with self.subTest(**case, verdict=verdict):
                at_once = self.outcome(at_once=can, verdict=verdict, **case)
                one_by_one = self.outcome(at_once=False, verdict=verdict, **case)
                is_duplicate = at_once["status"] == "duplicate"
                is_plain = body == b"{}" and verdict != Verdict.BACKFILLED
                self.assertEqual(at_once.pop("is_counted_apart"), is_duplicate and not (is_plain and can))
                self.assertEqual(one_by_one.pop("is_counted_apart"), is_duplicate)
                self.assertEqual(at_once, one_by_one)

    def test_is_known_however_long_a_body_counts(self) -> None:
        row = signed_endpoint()
        live, request = endpoints.live(row), received(b"{}", {})
        with override_settings(HUB_BODY_DEDUPE_SECONDS=10**12):
            found = [ingest.accept(live, request, {}, verdict=Verdict.VERIFIED) for _ in range(2)]

        self.assertEqual([each.is_duplicate for each in found], [False, True])


class ARowThatIsNotSavedTests(SimpleTestCase):
    def test_is_what_its_model_makes(self) -> None:
        values = {"id": uuid4(), "endpoint_id": uuid4(), "headers": {"a": "b"}, "sealed": "secret"}
        for model in (Event, Delivery):
            given_ = {name: value for name, value in values.items() if hasattr(model, name)}
            ours, django = unsaved(model, **given_), model(**given_)

            for field in model._meta.concrete_fields:
                self.assertEqual(getattr(ours, field.attname), getattr(django, field.attname), field.name)
            self.assertTrue(ours._state.adding)

    def test_knows_the_rows_that_it_was_given(self) -> None:
        event = unsaved(Event)
        route = Route(name="one")
        made = unsaved(Delivery, event=event, route=route)

        self.assertIs(made.event, event)
        self.assertIs(made.route, route)
        self.assertEqual((made.event_id, made.route_id, made.endpoint_id), (event.pk, route.pk, None))

    def test_shares_nothing_with_another(self) -> None:
        one, other = unsaved(Event), unsaved(Event)
        one.flags.append("a")

        self.assertEqual((other.flags, one.pk == other.pk), ([], False))


class AnEventAtAnEndpointOfWhichEventsHaveGoneTests(Sender, TestCase):
    def setUp(self) -> None:
        self.endpoint = signed_endpoint(keys_kept_since=timezone.now())
        make_route(self.endpoint)

    def test_is_stored_with_its_deliveries(self) -> None:
        self.assertEqual(self.send(self.endpoint, event_id="new").json()["status"], "accepted")

        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (1, 1))

    def test_leaves_nothing_behind_where_its_key_is_one_of_theirs(self) -> None:
        gone = make_event(self.endpoint)
        KeptKey.objects.keep([(self.endpoint.pk, "id:old", gone.pk, timezone.now())])
        Event.objects.all().delete()

        answer = self.send(self.endpoint, event_id="old").json()

        self.assertEqual(answer, {"status": "duplicate", "event": str(gone.pk)})
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (0, 0))


class AnEventThatCannotBeStoredAtOnceTests(Sender, TestCase):
    def test_is_stored_one_by_one_where_a_route_has_an_ordering_key(self) -> None:
        endpoint = signed_endpoint()
        make_route(endpoint), make_route(endpoint, ordering_key="id")

        with patch.object(queueing, "insert_at_once") as at_once:
            self.send(endpoint, b'{"id": 7}', event_id="1")

        self.assertFalse(at_once.called)
        keyed = Delivery.objects.exclude(ordering_key="").get()
        self.assertEqual((keyed.ordering_key, keyed.blocked, Delivery.objects.count()), ("7", False, 2))


class AnEventOfAnEndpointThatIsGoneTests(TransactionTestCase):
    def test_is_not_stored(self) -> None:
        live = endpoints.live(make_endpoint())
        Endpoint.objects.all().delete()
        request = received(b"{}", {})
        event = draft(live, request, {}, verdict=Verdict.UNVERIFIED)

        self.assertIsNone(ingest.store(event, [], live, request, now=_MOMENT))
        self.assertEqual(Event.objects.count(), 0)
