"""Erasures over the API: ordered, confirmed, proved, and for nobody who may not."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import Permission

from deliveries import erasing
from deliveries.models import AuditEntry, Erasure, Event
from integrations.api.scopes import Scope
from integrations.models import EndpointGroup
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.deliveries.visibility.two_teams import restrict
from tests.factories import make_endpoint, make_event

VALUE = "ada@example.com"


class ErasureTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user.user_permissions.set(Permission.objects.filter(codename__in=("view_erasure", "erase")))
        self.event = make_event(make_endpoint(), body=b'{"mail": "ada@example.com"}')

    def ordered(self, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{API}/erasures/", {"value": VALUE, **body}, format="json")
        self.assertEqual(answer.status_code, 202, answer.content)
        made: dict[str, Any] = answer.json()
        return made

    def order(self, pk: str, name: str) -> Any:
        return self.client.post(f"{API}/erasures/{pk}/{name}/")

    def test_is_counted_confirmed_and_proved(self) -> None:
        made = self.ordered()
        self.assertEqual((made["state"], made["created_by"]), ("counting", self.user.username))
        self.assertEqual(self.order(made["id"], "confirm").status_code, 409)
        row = erasing.work_off(Erasure.objects.get())
        self.assertIsNotNone(Event.objects.get().raw_body)

        self.assertEqual(self.order(made["id"], "confirm").json()["state"], "erasing")
        erasing.work_off(row)

        self.assertIsNone(Event.objects.get().raw_body)
        proof = self.client.get(f"{API}/erasures/{made['id']}/").json()
        self.assertEqual((proof["state"], proof["found"]), ("finished", {"events": [str(self.event.pk)]}))
        (listed,) = self.client.get(f"{API}/erasures/", {"state": "finished"}).json()["results"]
        self.assertEqual((listed["counts"], "found" in listed), ({"events": 1}, False))
        said = list(AuditEntry.objects.order_by("at").values_list("message", "via"))
        self.assertEqual(said, [("Has it counted what to erase.", "api"), ("Confirmed the erasure.", "api")])
        self.assertNotIn(VALUE, json.dumps([proof, listed]))

    def test_is_cancelled_once(self) -> None:
        made = self.ordered(path="mail")

        self.assertEqual(self.order(made["id"], "cancel").json()["state"], "cancelled")
        self.assertEqual(self.order(made["id"], "cancel").status_code, 409)

    def test_refuses_what_cannot_be_looked_for(self) -> None:
        for body in ({"value": "ab"}, {"value": VALUE, "path": "a["}, {"path": "mail"}):
            answer = self.client.post(f"{API}/erasures/", body, format="json")
            self.assertEqual(answer.status_code, 400, answer.content)
        self.assertFalse(Erasure.objects.exists())

    def test_is_for_those_who_may_erase_and_see_all_endpoints(self) -> None:
        looker = make_user("sam")
        looker.user_permissions.set(Permission.objects.filter(codename="view_erasure"))
        self.assertEqual(client_of(looker).get(f"{API}/erasures/").status_code, 200)
        self.assertEqual(client_of(looker).post(f"{API}/erasures/", {"value": VALUE}).status_code, 403)
        reading = client_of(self.user, Scope.READ)
        self.assertEqual(reading.post(f"{API}/erasures/", {"value": VALUE}).status_code, 403)
        restrict(self.user, EndpointGroup.objects.create(name="ours"))
        self.assertEqual(self.client.get(f"{API}/erasures/").status_code, 403)
        self.assertEqual(self.client.post(f"{API}/erasures/", {"value": VALUE}).status_code, 403)
        self.assertFalse(Erasure.objects.exists())
