"""`http.request`: call any API by a connection, with values of the event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from integrations.contracts import Json
from integrations.errors import GiveUp
from integrations.handlers import Context, InboundEvent, handler
from integrations.routing import search

_PLACE = re.compile(r"\{([^{}]+)\}")

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["connection"],
    "properties": {
        "connection": {"type": "string", "format": "connection", "description": "the name of a connection"},
        "method": {
            "enum": ["POST", "PUT", "PATCH", "DELETE", "GET"],
            "default": "POST",
            "description": "the HTTP method; GET and DELETE are sent without a body",
        },
        "path": {
            "type": "string",
            "maxLength": 1000,
            "description": "a path below the connection's base URL; {order.id} stands for what that JMESPath finds in "
            "the payload, percent-encoded",
        },
        "params": {
            "type": "object",
            "maxProperties": 50,
            "additionalProperties": {"type": "string", "format": "jmespath", "maxLength": 1000},
            "description": "an object: the query's parameters, each a JMESPath over the payload; null leaves it out",
        },
        "json": {
            "type": "string",
            "format": "jmespath",
            "maxLength": 10_000,
            "description": "a JMESPath over the payload: what is sent, such as {email: customer.email}; empty: the "
            "whole payload",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the call that would be made; raises `GiveUp` as `prepared` does."""
    return {"connection": config["connection"], **prepared(event.payload, config)}


@handler("http.request", config_schema=CONFIG_SCHEMA, preview=preview)
def request(event: InboundEvent, context: Context) -> None:
    """Call an API by a connection, with values of the event; any answer but 2xx is a failure."""
    config = context.config
    call = prepared(event.payload, config)
    client = context.http(config["connection"])
    client.request(call["method"], call["path"], params=call["params"], json=call.get("json")).raise_for_status()


def prepared(payload: Json, config: Any) -> dict[str, Any]:
    """Return what is to be sent: ``method``, ``path``, ``params`` and, for methods that send something, ``json``.

    Raises `GiveUp` where a value for the path is missing: another run would miss it too.
    """
    method = config.get("method", "POST")
    call: dict[str, Any] = {
        "method": method,
        "path": _PLACE.sub(lambda found: _segment(found[1], payload), config.get("path", "")),
        "params": {name: _parameter(name, search(text, payload)) for name, text in config.get("params", {}).items()},
    }
    if method not in {"GET", "DELETE"}:
        expression = config.get("json", "")
        call["json"] = search(expression, payload) if expression else payload
    return call


def _segment(expression: str, payload: Json) -> str:
    value = search(expression, payload)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise GiveUp(f"{{{expression}}} of the path finds no text and no number in the payload")
    return quote(str(value), safe="")


def _parameter(name: str, value: Json) -> Any:
    if isinstance(value, dict | list):
        raise GiveUp(f"the parameter {name} is no text and no number")
    return ("true" if value else "false") if isinstance(value, bool) else value
