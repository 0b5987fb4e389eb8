"""`object.append` in the hub itself: deliveries wait for their batch, no attempt is spent, and flows go on after it."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deliveries.models import Event
from hub.testing.fixtures import clock, hub
from integrations.models import Connection

if TYPE_CHECKING:
    from hub.testing.clock import Clock
    from hub.testing.harness import HubUnderTest

__all__ = ["clock", "hub"]

pytestmark = pytest.mark.any_database

CONFIG = {"connection": "lake", "batch_events": 3, "batch_seconds": 60}


@pytest.fixture
def lake(tmp_path: Path, settings: Any, transactional_db: None) -> Path:
    settings.HUB_OBJECTS_DIR = str(tmp_path)
    Connection.objects.create(name="lake", kind="folder", base_url="folder:/events")
    return tmp_path


def ids_in(lake: Path) -> list[list[int]]:
    contents = [gzip.decompress(path.read_bytes()) for path in sorted(lake.rglob("*.jsonl.gz"))]
    return [[json.loads(line)["payload"]["id"] for line in content.splitlines()] for content in contents]


def test_deliveries_of_a_single_attempt_wait_for_their_batch_and_succeed_with_it(
    clock: Clock, hub: HubUnderTest, lake: Path
) -> None:
    hub.endpoint("shop")
    hub.route("shop", handler="object.append", config=CONFIG, retry={"max_attempts": 1})

    early = [hub.deliver("shop", {"id": number}).delivery for number in (1, 2)]
    assert [hub.refreshed(delivery).status for delivery in early] == ["waiting", "waiting"]
    assert hub.deliver("shop", {"id": 3}).delivery.status == "succeeded"
    clock.advance(timedelta(minutes=2))
    hub.work()
    assert [hub.refreshed(delivery).status for delivery in early] == ["succeeded", "succeeded"]

    late = hub.deliver("shop", {"id": 4}).delivery
    clock.advance(timedelta(seconds=61))
    hub.work()
    assert hub.refreshed(late).status == "succeeded"
    assert ids_in(lake) == [[1, 2, 3], [4]]


def test_a_flow_waits_at_its_step_and_goes_on_once_the_event_is_written(
    clock: Clock, hub: HubUnderTest, lake: Path
) -> None:
    hub.endpoint("shop")
    hub.endpoint("written", provider="internal")
    told = {"endpoint": "written", "event_type": "kept in {{ steps.keep.object }}"}
    hub.route(
        "shop",
        handler="hub.flow",
        config={
            "steps": [
                {"name": "keep", "handler": "object.append", "config": CONFIG},
                {"name": "tell", "handler": "hub.emit", "config": told},
            ]
        },
    )
    delivery = hub.deliver("shop", {"id": 1}).delivery
    assert delivery.status == "waiting"

    clock.advance(timedelta(seconds=61))
    hub.work()

    assert hub.refreshed(delivery).status == "succeeded"
    assert [(step.name, step.state) for step in hub.steps(delivery)] == [("keep", "succeeded"), ("tell", "succeeded")]
    (emitted,) = Event.objects.filter(endpoint__slug="written")
    assert (lake / "events" / emitted.event_type.removeprefix("kept in ")).is_file()
    assert ids_in(lake) == [[1]]
