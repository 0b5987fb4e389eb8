"""The handler that only writes a line: to see events flow before anything acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.handlers import Context, InboundEvent, handler


def preview(event: InboundEvent, _config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what would be noted."""
    return {"type": event.event_type, "id": event.event_id, "body_bytes": len(event.body)}


@handler("log", config_schema={"type": "object", "additionalProperties": False, "properties": {}}, preview=preview)
def log(event: InboundEvent, context: Context) -> None:
    """Note on the attempt that the event came; change nothing anywhere."""
    context.log("event", **preview(event, context.config))
