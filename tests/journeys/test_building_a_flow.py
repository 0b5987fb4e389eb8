"""docs/how-to/build-a-flow.md: the flow on the page is applied, gets an event, and makes the calls it promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from hub.testing.fixtures import connections, hub
from integrations.models import Endpoint
from tests.running_hub import ROOT

if TYPE_CHECKING:
    from hub.testing.harness import HubUnderTest
    from hub.testing.outside import FakeConnections

__all__ = ["connections", "hub"]

pytestmark = pytest.mark.any_database

PAGE = (ROOT / "docs" / "how-to" / "build-a-flow.md").read_text(encoding="utf-8")


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    for name in set(re.findall(r"env:(HUB_SECRET_\w+)", PAGE)):
        monkeypatch.setenv(name, "a-secret-of-this-test-with-32-chars")
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / "hub.yaml").write_text(found[1])
    call_command("createsuperuser", interactive=False, username="ada", email="ada@example.com", verbosity=0)
    call_command("apply", str(tmp_path / "hub.yaml"), yes=True, verbosity=0)


def deliver(hub: HubUnderTest, connections: FakeConnections, customer: dict[str, Any]) -> dict[str, str]:
    connections.answer("crm", "GET", "/customers", json=customer)
    connections.answer("crm", "POST", "/customers/5/notes", json={})
    connections.answer("slack", "POST", "/chat.postMessage", json={"ok": True, "channel": "C0123456789", "ts": "17.1"})
    delivery = hub.deliver(Endpoint.objects.get().slug, event_type="orders/create").delivery
    assert delivery.status == "succeeded", delivery.last_error
    return {step.name: step.state for step in hub.steps(delivery)}


@pytest.mark.usefixtures("flow")
class TestTheFlow:
    def test_looks_up_tells_and_notes(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        states = deliver(hub, connections, {"id": 5, "tier": "key", "owner": "Ada"})

        assert states == {"lookup": "succeeded", "tell": "succeeded", "note": "succeeded"}
        looked_up, told, noted = connections.sent
        assert looked_up.params == {"email": "jon@example.com"}
        assert told.json["text"] == "Ada: #9999 over 414.95 USD"
        assert noted.json == {"text": "sales was told", "message": "17.1", "order": 820982911946154508}

    def test_tells_nobody_of_other_customers(self, hub: HubUnderTest, connections: FakeConnections) -> None:
        states = deliver(hub, connections, {"id": 5, "tier": "small"})

        assert states == {"lookup": "succeeded", "tell": "skipped", "note": "skipped"}
        assert len(connections.sent) == 1
