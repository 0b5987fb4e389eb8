"""A ready-made handler, run over the connection of a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from integrations.contracts import InboundEvent
from integrations.handlers import handlers
from integrations.models import Connection
from integrations.validation import validate_handler_config
from tests.integrations.handlers.contexts import Kept, context_of

if TYPE_CHECKING:
    from tests.integrations.calling.test_client import CallingTestCase


def run_over(
    case: CallingTestCase, key: str, config: Mapping[str, Any], *, event: InboundEvent, journal: Kept | None = None
) -> None:
    """Run handler ``key`` for one attempt; the connection that ``config`` names leads to the test's system.

    ``journal`` keeps the steps from one attempt to the next.
    """
    name = config["connection"]
    connection = Connection.objects.filter(name=name).first() or case.system.connection(name)

    class Named:
        def client(self, asked: str, context: Any) -> Any:
            case.assertEqual(asked, name)
            return case.client_of(connection)

        def async_client(self, asked: str, context: Any) -> Any:
            raise AssertionError("not asked for")

    validate_handler_config(key, dict(config))
    handlers[key].run(event, replace(context_of(config, journal or Kept()), connections=Named()))
