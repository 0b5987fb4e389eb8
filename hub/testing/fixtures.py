"""The fixtures themselves; a ``conftest.py`` imports those that its tests use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hub.testing.clock import Clock

if TYPE_CHECKING:
    from hub.testing.harness import HubUnderTest
    from hub.testing.outside import FakeConnections


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Return the clock that the hub and its handlers read here; it runs, and `Clock.advance` puts it forward."""
    with Clock.of_this_process() as clock:
        yield clock


@pytest.fixture
def hub(transactional_db: None) -> Iterator[HubUnderTest]:  # noqa: ARG001 - what is committed is emptied afterwards
    """Return a hub with an empty database, in this process: the real receiving path, the real worker."""
    from hub.testing.harness import HubUnderTest

    hub = HubUnderTest()
    yield hub
    hub.close()


@pytest.fixture
def connections(
    transactional_db: None,  # noqa: ARG001 - the connections are rows
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FakeConnections]:
    """Return the outside systems: they answer what the test says; a call of anything else fails the test."""
    from deliveries.execution import runner
    from hub.testing.outside import FakeConnections

    fake = FakeConnections()
    monkeypatch.setattr(runner, "connections_for", fake.for_endpoint)
    yield fake
    fake.check()
