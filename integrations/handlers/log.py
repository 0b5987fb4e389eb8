"""The handler that only writes a line: to see events flow before anything acts on them."""

from __future__ import annotations

from integrations.handlers import Context, InboundEvent, handler


@handler("log", config_schema={"type": "object", "additionalProperties": False, "properties": {}})
def log(event: InboundEvent, context: Context) -> None:
    """Note on the attempt that the event came; change nothing anywhere."""
    context.log("event", type=event.event_type, id=event.event_id, body_bytes=len(event.body))
