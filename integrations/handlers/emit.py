"""`hub.emit`: make a new event of an event, on this endpoint or on another internal one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.contracts import Json
from integrations.errors import GiveUp
from integrations.handlers import Context, InboundEvent, handler
from integrations.routing import search
from integrations.values import rendered, root_of, scope_of

_LONGEST_TYPE = 255

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["event_type"],
    "properties": {
        "endpoint": {
            "type": "string",
            "format": "endpoint",
            "maxLength": 64,
            "description": "the slug of an endpoint of preset internal; empty: the event's own",
        },
        "event_type": {
            "type": "string",
            "format": "template",
            "minLength": 1,
            "maxLength": 1000,
            "description": "a template: the new event's type, such as order.{{ payload.status }}",
        },
        "payload": {
            "type": "string",
            "format": "jmespath",
            "maxLength": 2000,
            "description": "a JMESPath over the payload: the new event's, such as {id: order.id}; empty: the same",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the event that would be made: ``endpoint``, ``event_type``, ``payload``; raises `GiveUp` for no type."""
    event_type = rendered(config["event_type"], scope_of(event), field="event_type").strip()
    if not 0 < len(event_type) <= _LONGEST_TYPE:
        raise GiveUp(f"event_type: it makes {len(event_type)} characters; a type has 1 to {_LONGEST_TYPE}")
    expression = config.get("payload", "")
    return {
        "endpoint": config.get("endpoint") or event.endpoint,
        "event_type": event_type,
        "payload": search(expression, root_of(event)) if expression else event.payload,
    }


@handler("hub.emit", config_schema=CONFIG_SCHEMA, preview=preview)
def emit(event: InboundEvent, context: Context) -> Json:
    """Make a new event on an internal endpoint, with a type and a payload made from this one.

    Returns its ``endpoint``, ``event_type`` and ``payload``.
    """
    made: Json = preview(event, context.config)
    context.emit(made["event_type"], made["payload"], endpoint=context.config.get("endpoint", ""))
    return made
