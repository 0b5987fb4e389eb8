"""docs/how-to/leave-zapier.md: every file on the page is applied, gets an event, and makes the call it promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from deliveries.models import Delivery, Schedule
from deliveries.schedules.firing import run_now
from hub.testing.fixtures import connections, hub
from integrations.models import Connection, Endpoint
from tests.running_hub import ROOT

if TYPE_CHECKING:
    from hub.testing.harness import HubUnderTest
    from hub.testing.outside import FakeConnections

__all__ = ["connections", "hub"]

pytestmark = pytest.mark.any_database

PAGE = (ROOT / "docs" / "how-to" / "leave-zapier.md").read_text(encoding="utf-8")
FILES = [
    re.sub(r"^   ", "", text, flags=re.MULTILINE) if text.startswith("   ") else text
    for text in re.findall(r"^ *```yaml\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
]

OBJECT = {"number": "IN-7", "customer_email": "ada@example.com", "amount_due": 4200, "amount": 12000, "currency": "eur"}
#: The parts of what the providers send that the routes ask for, as their documentation has them.
PAYLOADS: dict[str, Any] = {
    "Tell Slack of payments": ("payment_intent.succeeded", {"data": {"object": OBJECT}}),
    "Write to accounting": ("invoice.payment_failed", {"data": {"object": OBJECT}}),
    "Book the order": ("orders/create", None),
    "Contact in HubSpot": (
        "form_response",
        {
            "event_type": "form_response",
            "form_response": {
                "answers": [
                    {"type": "text", "text": "Ada", "field": {"ref": "name", "type": "short_text"}},
                    {"type": "text", "text": "By train", "field": {"ref": "how", "type": "long_text"}},
                    {"type": "email", "email": "ada@example.com", "field": {"ref": "mail", "type": "email"}},
                ]
            },
        },
    ),
    "Page in Notion": ("invitee.created", None),
    "Announce releases": (
        "release",
        {
            "action": "published",
            "repository": {"full_name": "octo-org/hub"},
            "release": {"tag_name": "v2", "html_url": "https://github.com/octo-org/hub/releases/v2"},
        },
    ),
    "Ticket in Jira": ("issues", {"action": "opened", "issue": {"title": "It is down"}}),
    "Row in the sheet": ("", {"name": "Ada", "email": "ada@example.com", "source": "fair"}),
    "Record in Airtable": ("error", None),
}
CALLS = {
    "Tell Slack of payments": ("slack: POST /chat.postMessage", {"channel": "C0123456789", "text": "Paid: 12000 eur"}),
    "Book the order": (
        "erp: PUT /orders/820982911946154508",
        {"number": "#9999", "customer": "jon@example.com", "total": "414.95", "currency": "USD"},
    ),
    "Contact in HubSpot": (
        "hubspot: POST /crm/v3/objects/contacts/batch/upsert",
        {"inputs": [{"idProperty": "email", "id": "ada@example.com", "properties": {"firstname": "Ada"}}]},
    ),
    "Page in Notion": (
        "notion: POST /pages",
        {
            "parent": {"database_id": "d9824bdc84454327be8b5b47500af6ce"},
            "properties": {
                "Name": {"title": [{"text": {"content": "John Doe"}}]},
                "Email": {"email": "john@example.com"},
            },
        },
    ),
    "Announce releases": (
        "discord: POST /channels/123456789012345678/messages",
        {"content": "octo-org/hub v2 is out: https://github.com/octo-org/hub/releases/v2"},
    ),
    "Ticket in Jira": (
        "jira: POST /issue",
        {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "It is down"}},
    ),
    "Row in the sheet": (
        "sheets: POST /spreadsheets/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgVE2upms/values/Leads:append",
        {"values": [["Ada", "ada@example.com", "fair"]]},
    ),
    "Record in Airtable": (
        "airtable: POST /app0123456789abcd/Incidents",
        {"records": [{"fields": {"Title": "A test event from the hub.", "Level": "error"}}]},
    ),
    "Ask for the report": ("reports: POST /run", {"report": "orders"}),
}


def named(text: str) -> list[str]:
    return re.findall(r"^    name: (.+)$", text, re.MULTILINE)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(re.findall(r"env:(HUB_SECRET_\w+)", PAGE)):
        monkeypatch.setenv(name, "a-secret-of-this-test-with-32-chars")


def test_the_page_has_ten_zaps_and_the_mirror() -> None:
    assert len(FILES) == 11
    assert len(re.findall(r"^## \d+\. ", PAGE, re.MULTILINE)) == 10


@pytest.mark.parametrize("text", FILES[1:], ids=[named(text)[0] for text in FILES[1:]])
def test_a_zap_of_the_page_does_what_it_says(
    text: str, tmp_path: Path, hub: HubUnderTest, connections: FakeConnections, settings: Any
) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text(text)
    settings.EMAIL_HOST = "mail.example.com"
    call_command("createsuperuser", interactive=False, username="ada", email="ada@example.com", verbosity=0)

    call_command("apply", str(file), yes=True, verbosity=0)
    for row in Connection.objects.all():
        connections.answer(row.name, "POST", "*", json={"ok": True})
        connections.answer(row.name, "PUT", "*", json={"ok": True})
    endpoint = Endpoint.objects.get()
    if endpoint.provider == "internal":
        run_now(Schedule.objects.get(), by=User.objects.get(), now=timezone.now())
        hub.work()
    else:
        event_type, payload = next(PAYLOADS[name] for name in named(text) if name in PAYLOADS)
        if endpoint.provider == "stripe":
            payload = {"id": "evt_1", "type": event_type, **payload}
        received = hub.deliver(endpoint.slug, payload, event_type=event_type)
        assert received.status == 200, received.answer

    deliveries = Delivery.objects.select_related("route")
    assert [(row.route.name, row.status) for row in deliveries.order_by("route__name")] == [
        (name, "succeeded") for name in sorted(named(text))
    ]
    assert {(str(sent), str(sent.json)) for sent in connections.sent} == {
        (CALLS[name][0], str(CALLS[name][1])) for name in named(text) if name in CALLS
    }
    assert len(mail.outbox) == text.count("handler: email.send")


def test_the_mirror_leads_to_the_old_zap(tmp_path: Path, hub: HubUnderTest) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text(FILES[0])
    call_command("createsuperuser", interactive=False, username="ada", email="ada@example.com", verbosity=0)

    call_command("apply", str(file), yes=True, verbosity=0)

    route = Endpoint.objects.get().routes.get()
    assert route.handler == "http.forward"
    assert route.config == {"url": "https://hooks.zapier.com/hooks/catch/123456/abcdef/"}
