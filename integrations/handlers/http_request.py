"""`http.request`: call any API by a connection, with values of the event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from integrations.connectors.answers import Answer, AnswerNotJson
from integrations.contracts import Json
from integrations.errors import GiveUp
from integrations.handlers import Context, InboundEvent, handler
from integrations.routing import search
from integrations.values import root_of
from integrations.values.places import PLACE

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
            "format": "path",
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
    return {"connection": config["connection"], **prepared(event, config)}


@handler("http.request", config_schema=CONFIG_SCHEMA, preview=preview, dry_run=True)
def request(event: InboundEvent, context: Context) -> Json:
    """Call an API by a connection, with values of the event; any answer but 2xx is a failure.

    Returns, in a flow, ``status`` and ``body``, which is JSON where the answer is.
    """
    config = context.config
    call = prepared(event, config)
    client = context.http(config["connection"])
    answer = client.request(call["method"], call["path"], params=call["params"], json=call.get("json"))
    answer.raise_for_status()
    return None if event.steps is None else output_of(answer)  # 10 MiB are not parsed for nobody


def output_of(answer: Answer) -> Json:
    """Return the answer as later steps of a flow see it: its ``body`` as text where it is not JSON.

    What it repeats of the connection's credentials is masked, as outputs are shown.
    """
    shown = answer.without_secrets()
    try:
        body = shown.json()
    except AnswerNotJson:
        body = shown.text
    return {"status": answer.status_code, "body": body}


def prepared(event: InboundEvent, config: Any) -> dict[str, Any]:
    """Return what is to be sent: ``method``, ``path``, ``params`` and, for methods that send something, ``json``.

    Raises `GiveUp` where a value for the path is missing: another run would miss it too.
    """
    method, root = config.get("method", "POST"), root_of(event)
    call: dict[str, Any] = {
        "method": method,
        "path": PLACE.sub(lambda found: _segment(found[1], root), config.get("path", "")),
        "params": {name: _parameter(name, search(text, root)) for name, text in config.get("params", {}).items()},
    }
    if method not in {"GET", "DELETE"}:
        expression = config.get("json", "")
        call["json"] = search(expression, root) if expression else event.payload
    return call


def _segment(expression: str, root: Json) -> str:
    value = search(expression, root)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise GiveUp(f"{{{expression}}} of the path finds no text and no number")
    return quote(str(value), safe="")


def _parameter(name: str, value: Json) -> Any:
    if isinstance(value, dict | list):
        raise GiveUp(f"the parameter {name} is no text and no number")
    return ("true" if value else "false") if isinstance(value, bool) else value
