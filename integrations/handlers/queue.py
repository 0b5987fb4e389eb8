"""`queue.publish`: an event as a message of a Kafka topic, a Redis stream or an SQS queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from integrations import tracing
from integrations.connectors.queues import Message, publish
from integrations.contracts import Json
from integrations.errors import GiveUp
from integrations.handlers import Context, InboundEvent, handler
from integrations.routing import search
from integrations.values import root_of

_STEP = "queue.publish"
_KEEP = 100_000
_LONGEST_KEY = 1000
_EXPRESSION: dict[str, Any] = {"type": "string", "format": "jmespath", "minLength": 1, "maxLength": 1000}

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["connection", "queue"],
    "properties": {
        "connection": {
            "type": "string",
            "format": "connection",
            "description": "the name of a connection of kind kafka, redis or sqs",
        },
        "queue": {
            "type": "string",
            "minLength": 1,
            "maxLength": 249,
            "description": "the name of the topic (kafka) or stream (redis), or ACCOUNT/NAME of the queue (sqs)",
        },
        "key": {
            **_EXPRESSION,
            "description": "a JMESPath over the payload, such as customer.id: the message's key, by which Kafka "
            "chooses the partition, and the group of a FIFO queue; left out, the event's id",
        },
        "body": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 200,
            "propertyNames": {"minLength": 1, "maxLength": 100},
            "additionalProperties": _EXPRESSION,
            "description": "an object: what is sent as JSON, names with a JMESPath over the payload each; left out, "
            "the body as it came",
        },
        "keep": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100_000_000,
            "default": _KEEP,
            "description": "for redis: about so many messages stay in the stream, and the oldest go",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the message that would be sent, but for the delivery's own headers; raises `GiveUp` as `message_of`."""
    message = message_of(event, config)
    mapped = {"body": json.loads(message.body)} if "body" in config else {"body_bytes": len(message.body)}
    place = {name: config[name] for name in ("connection", "queue")}
    return {**place, "key": message.key, "headers": dict(message.headers), **mapped}


@handler("queue.publish", config_schema=CONFIG_SCHEMA, preview=preview, dry_run={"POST /": {"MessageId": ""}})
def send(event: InboundEvent, context: Context) -> Json:
    """Send the event as a message to a Kafka topic, a Redis stream or an SQS queue; what is sent is not sent again.

    Returns what the broker knows it by: ``partition`` and ``offset``, or ``id``.
    """
    config = context.config
    message = message_of(event, config, delivery=context.delivery_id, message_id=context.idempotency_key_for(_STEP))

    def sent() -> Json:
        keep = config.get("keep", _KEEP)
        return publish(context.outside(config["connection"]), config["queue"], message, keep=keep)

    found = context.once(_STEP, sent)
    context.log("published", queue=config["queue"], **found)
    return found


def message_of(event: InboundEvent, config: Mapping[str, Any], *, delivery: str = "", message_id: str = "") -> Message:
    """Return what is sent: the raw body, or an object of what the JMESPaths of ``config["body"]`` find.

    ``delivery`` and ``message_id`` are among its headers if they are not "". Raises `GiveUp`, which names the
    field and never a value, where ``key`` finds no text and no number.
    """
    headers = {
        "hub-event-id": event.id,
        "hub-event-type": event.event_type,
        "hub-endpoint": event.endpoint,
        "content-type": "application/json" if "body" in config else event.content_type,
        "hub-delivery-id": delivery,
        "hub-message-id": message_id,
        "traceparent": tracing.traceparent() if message_id else "",
    }
    key = _key(event, config["key"]) if "key" in config else event.id
    return Message(
        _body(event, config.get("body")), key, message_id, {name: text for name, text in headers.items() if text}
    )


def _body(event: InboundEvent, paths: Mapping[str, str] | None) -> bytes:
    if paths is None:
        return event.body
    found = {name: search(path, root_of(event)) for name, path in paths.items()}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _key(event: InboundEvent, path: str) -> str:
    found: Json = search(path, root_of(event))
    if found in (None, "") or isinstance(found, bool | dict | list):
        raise GiveUp("key: it finds no text and no number in the payload")
    if len(str(found)) > _LONGEST_KEY:
        raise GiveUp(f"key: what it finds has more than {_LONGEST_KEY} characters")
    return str(found)
