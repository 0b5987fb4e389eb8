"""`queue.publish` in the hub itself, to a real redis-server: what a replay sends again, and a broker that was away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deliveries.models import Delivery
from deliveries.replay import replay
from hub.testing.fixtures import clock, hub
from integrations.models import Connection
from tests.deliveries.api.cases import make_user
from tests.integrations.connectors.brokers import HAS_REDIS, LOOPBACK, Redis, free_port, redis_server

if TYPE_CHECKING:
    from hub.testing.clock import Clock
    from hub.testing.harness import HubUnderTest

__all__ = ["clock", "hub"]

pytestmark = [pytest.mark.any_database, pytest.mark.skipif(not HAS_REDIS, reason="redis-server is not installed")]

CONFIG = {"connection": "events", "queue": "orders", "key": "id"}


@pytest.fixture
def server() -> Iterator[Redis]:
    with redis_server() as running:
        yield running


@pytest.fixture
def shop(hub: HubUnderTest, settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = LOOPBACK
    hub.endpoint("shop")
    hub.route("shop", handler="queue.publish", config=CONFIG)


def ids_in(server: Redis) -> list[bytes]:
    return [fields[b"hub-message-id"] for _, fields in server.messages()]


def test_a_replay_sends_nothing_again_unless_it_is_one_from_the_start(
    hub: HubUnderTest, shop: None, server: Redis
) -> None:
    Connection.objects.create(name="events", kind="redis", base_url=server.url)
    anna = make_user("anna", is_superuser=True)
    delivery = hub.deliver("shop", {"id": 7}).delivery
    assert (delivery.status, len(ids_in(server))) == ("succeeded", 1)

    for from_start, total in ((False, 1), (True, 2)):
        replay(Delivery.objects.all(), by=anna, from_start=from_start)
        hub.work()
        assert hub.refreshed(delivery).status == "succeeded"
        assert len(set(ids_in(server))) == len(ids_in(server)) == total


def test_what_a_broker_could_not_take_goes_out_once_it_is_back(hub: HubUnderTest, shop: None, clock: Clock) -> None:
    port = free_port()
    tries = {"max_attempts": 1}
    Connection.objects.create(name="events", kind="redis", base_url=f"redis://127.0.0.1:{port}", retry=tries)
    delivery = hub.deliver("shop", {"id": 7}).delivery
    assert (delivery.status, delivery.attempt_count) == ("waiting", 1)

    with redis_server(port=port) as server:
        clock.advance(timedelta(hours=1))
        hub.work()

        assert hub.refreshed(delivery).status == "succeeded"
        assert len(ids_in(server)) == 1
