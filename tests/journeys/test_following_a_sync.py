"""`airbyte.sync` in the hub itself: deliveries wait for a job that is not over, and none of their attempts is spent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hub.testing.fixtures import clock, connections, hub

if TYPE_CHECKING:
    from hub.testing.clock import Clock
    from hub.testing.harness import HubUnderTest
    from hub.testing.outside import FakeConnections

__all__ = ["clock", "connections", "hub"]

pytestmark = pytest.mark.any_database

CONFIG = {"connection": "airbyte", "airbyte_connection": "18dccc91-0ab1-4f72-9ed7-0b8fc27c5826"}


def test_a_delivery_of_a_single_attempt_follows_its_sync_to_the_end(
    clock: Clock, hub: HubUnderTest, connections: FakeConnections
) -> None:
    connections.connection("airbyte")
    connections.answer("airbyte", "GET", "v1/jobs", json={"data": []})
    connections.answer("airbyte", "POST", "v1/jobs", json={"jobId": 7, "status": "pending"})
    for status in ("pending", "running", "succeeded"):
        connections.answer("airbyte", "GET", "v1/jobs/7", json={"jobId": 7, "status": status})
    hub.endpoint("shop")
    hub.route("shop", handler="airbyte.sync", config=CONFIG, retry={"max_attempts": 1})

    delivery = hub.deliver("shop", {"id": 1}).delivery
    seen = [delivery.status]
    for _ in range(3):
        clock.advance(timedelta(minutes=1))
        hub.work()
        delivery = hub.refreshed(delivery)
        seen.append(delivery.status)

    assert seen == ["waiting", "waiting", "waiting", "succeeded"], "for other events, and twice for the sync"
    assert [str(sent) for sent in connections.sent].count("airbyte: POST /v1/jobs") == 1
