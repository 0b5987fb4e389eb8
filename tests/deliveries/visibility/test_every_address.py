"""Every address that the resolver knows, opened and posted to with the ids of a group that is not one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from deliveries.models import AuditEntry, Backfill, BackfillRun, Delivery, Event, SavedView
from integrations.models import AwaitedSecret, Endpoint, Route, Secret
from tests.deliveries.admin.people import make_user
from tests.deliveries.audited import comings  # noqa: F401 - its doings are among them
from tests.deliveries.audited.doings import DOINGS
from tests.deliveries.audited.site import addresses, form_of
from tests.deliveries.visibility.test_admin import RestrictedAdminTestCase
from tests.deliveries.visibility.two_teams import OURS, THEIRS, Team, restrict
from tests.factories import make_endpoint, make_event, make_route

#: What is posted everywhere: what each order, question and form asks for, so that it would do something.
POSTED = {
    "confirmed": "yes", "post": "yes", "reason": "a case", "payload": '{"of": "another"}', "which": "all",
    "value": "a-secret-of-mine", "last": "5", "format": "jsonl", "name": "mine", "event_type": "mine", "label": "mine",
    "slug": "mine",
}  # fmt: skip
#: What is not for who is restricted at all.
SHUT = {
    "auth_group_change", "auth_group_delete", "auth_user_change", "auth_user_password_change",
    "deliveries_acceptonly_order", "deliveries_alertrule_channel", "deliveries_erasure_cancel",
    "deliveries_erasure_confirm", "deliveries_parkedkey_let_go_on", "integrations_endpointgroup_change",
    "integrations_endpointgroup_delete",
}  # fmt: skip
#: Pages with a form: what is changed in it, as somebody fills it in who may see the row.
FORMS: dict[str, dict[str, str]] = {
    "deliveries_alertrule_change": {"name": "renamed"},
    "deliveries_backfill_change": {"interval_minutes": "45"},
    "deliveries_schedule_change": {"cron": "0 5 * * *"},
    "integrations_connection_change": {"base_url": "https://renamed.example.com"},
    "integrations_endpoint_change": {"name": "renamed"},
    "integrations_route_change": {"timeout_seconds": "12"},
}
#: What takes an identity provider, and names no row.
NEED_MORE = {"openid_connect_callback"}
ORDERS = {
    "deliveries_delivery_order": ("replay", "replay_from_start", "discard"),
    "deliveries_replay_order": ("pause", "cancel"),
}


@pytest.mark.any_database
class EveryAddressTests(RestrictedAdminTestCase):
    def setUp(self) -> None:
        super().setUp()
        other = make_user("administrator", name="other")
        restrict(other, self.theirs.group)
        self.ours.add_more(member=self.user)
        self.theirs.add_more(member=other)
        make_route(make_endpoint(slug="hub-alerts", provider="internal"))
        self.root = Client()
        self.root.force_login(make_user("superuser", name="root"))

    def posted(self, name: str, address: str) -> dict[str, Any]:
        """Return what is posted to ``address``: the form of its page, or else what any order asks for."""
        shown = form_of(self.root.get(address)) if name in FORMS else {}
        if shown:
            return {**shown, **FORMS[name]}
        return {**POSTED, "group": self.ours.group.pk, "order": str(uuid4())}

    def test_does_and_shows_nothing_of_the_other_group(self) -> None:
        before = self.theirs.state(), counts(self.theirs)
        for name, route in addresses():
            for address in filled(name, route, self.theirs):
                self.assert_hidden("get", address, **POSTED)
                self.assert_hidden("post", address, **self.posted(name, address))
                self.client.force_login(self.user)  # one of them is the way out
        self.assertEqual((self.theirs.state(), counts(self.theirs)), before)

    def test_would_do_it_to_the_own_group(self) -> None:
        """The walk is worth something: what it posts is what is asked for."""
        asked = {name for name, _ in DOINGS} - SHUT - NEED_MORE
        routes = [(name, route) for name, route in addresses() if name in asked and "<" in route]
        done: set[str] = set()
        for is_sensitive in (False, True):
            Endpoint.objects.filter(pk=self.ours.endpoint.pk).update(sensitive=is_sensitive)
            for name, route in routes:
                if name not in done and any(self.is_noted(name, address) for address in filled(name, route, self.ours)):
                    done.add(name)

        self.assertGreater(len(done), 45)
        self.assertEqual({name for name, _ in routes} - done, set(), "post what it takes, or name it in NEED_MORE")

    def is_noted(self, name: str, address: str) -> bool:
        """Return whether something is in the audit log once it is posted to ``address``; take it back."""
        known = AuditEntry.objects.changes().count()
        with transaction.atomic():
            self.client.post(address, self.posted(name, address))
            is_noted = AuditEntry.objects.changes().count() > known
            transaction.set_rollback(True)
        return is_noted


@pytest.mark.any_database
class AMixedSelectionTests(RestrictedAdminTestCase):
    def give(self, name: str, action: str, *rows: Any) -> Any:
        ticked = {"action": action, "_selected_action": [row.pk for row in rows], "index": 0}
        answer = self.client.post(reverse(f"admin:{name}_changelist"), {**ticked, "confirmed": "yes", "post": "yes"})
        self.assertLess(answer.status_code, 400)
        return answer

    def test_counts_and_changes_the_own_rows_alone(self) -> None:
        before = self.theirs.state(), counts(self.theirs)
        ours = counts(self.ours)["AuditEntry"]

        self.give("deliveries_delivery", "replay", self.ours.delivery, self.theirs.delivery)
        self.give("deliveries_delivery", "discard", self.ours.pending, self.theirs.pending)
        self.give("deliveries_rejection", "reverify", self.ours.rejection, self.theirs.rejection)
        self.give("integrations_route", "delete_selected", self.ours.route, self.theirs.route)
        self.give("integrations_endpoint", "delete_selected", self.ours.endpoint, self.theirs.endpoint)

        self.assertEqual((self.theirs.state(), counts(self.theirs)), before)
        self.assertEqual(counts(self.ours)["AuditEntry"], ours + 4)  # its rejection stays refused
        self.assertEqual(Delivery.objects.get(pk=self.ours.pending.pk).status, "discarded")

    def test_asks_about_the_own_rows_alone(self) -> None:
        page = reverse("admin:deliveries_delivery_changelist")
        ticked = [self.ours.delivery.pk, self.theirs.delivery.pk]
        question = self.client.post(page, {"action": "replay", "_selected_action": ticked, "index": 0})
        self.assertEqual((question.context["total"], question.context["legal_count"]), (1, 1))

        question = self.client.post(page, {"action": "replay_in_bulk", "_selected_action": ticked, "index": 0})
        self.assertNotIn(str(self.theirs.delivery.pk), question["Location"])

        ids = ",".join(map(str, ticked))
        question = self.client.get(reverse("admin:deliveries_delivery_replay"), {"ticked": ids})
        self.assertEqual(question.context["total"], 1)


@pytest.mark.any_database
class WhatGoesOutTests(RestrictedAdminTestCase):
    def test_into_a_file_is_the_own_group(self) -> None:
        for kind in ("delivery", "event", "rejection", "auditentry"):
            for form in ("csv", "jsonl", "jsonl_payloads") if kind == "event" else ("csv", "jsonl"):
                answer = self.client.post(reverse(f"admin:deliveries_{kind}_export"), {"format": form})
                text = b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]
                self.assertIn(OURS, text, (kind, form))
                self.assertNotIn(THEIRS, text, (kind, form))

    def test_into_the_live_tail_is_the_own_group(self) -> None:
        page = reverse("live-tail")
        self.assertContains(self.client.get(page), OURS)
        self.assertNotContains(self.client.get(page), THEIRS)
        cursor = self.client.get(reverse("live-tail-lines")).json()["cursor"]
        for team in (self.ours, self.theirs):
            make_event(team.endpoint, event_type=f"{team.word}.live")

        for query in ({}, {"endpoint": self.theirs.endpoint.slug}):
            found = self.client.get(reverse("live-tail-lines"), {"cursor": cursor, **query})
            self.assertEqual(f"{OURS}.live" in found.content.decode(), not query)
            self.assertNotIn(f"{THEIRS}.live", found.content.decode())


def counts(team: Team) -> dict[str, int]:
    """Return how many rows belong to the endpoints of ``team``: what was made for them, and said about them."""
    of_endpoint = (AuditEntry, AwaitedSecret, Backfill, Delivery, Event, Route, Secret)
    found = {row.__name__: row._base_manager.filter(endpoint__group=team.group).count() for row in of_endpoint[1:]}
    found["AuditEntry"] = AuditEntry.objects.filter(
        endpoint__in=Endpoint.objects.filter(group=team.group)
    ).count()  # fmt: skip
    found["BackfillRun"] = BackfillRun.objects.filter(backfill__endpoint__group=team.group).count()
    return found


def filled(name: str, route: str, team: Team) -> Iterator[str]:
    """Yield the addresses of ``route`` for each row of the team that can stand in it."""
    app_model = re.match(r"admin/(\w+)/(\w+)/", route)
    if "P<" in route or "<" not in route:
        if "P<" not in route:
            yield f"/{route}"
        return
    values: dict[str, Any] = {
        "variant": team.variant.pk, "secret": team.secret.pk, "handler": "log", "provider": "generic_hmac",
        "key": "webhook", "provider_id": "sso", "content_type_id": 1,
    }  # fmt: skip
    label = ".".join(app_model.groups()) if app_model else ""
    rows = [row for row in team.rows() if row._meta.label_lower == label]
    if name.endswith("_forget_view"):
        rows = [row for row in team.more if isinstance(row, SavedView) and label == f"deliveries.{row.list}"]
    for pk in [row.pk for row in rows] or [team.group.pk]:
        for order in ORDERS.get(name, ("on",)):
            known = {**values, "order": order}
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(known.get(found[1], pk)), route)  # noqa: B023
