"""Messages to brokers: what each kind of connection sends them with. Each takes a message once, or says how often."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.connectors import kafka, redis_stream, sqs
from integrations.connectors.client import HttpClient
from integrations.connectors.system import Sent, System, SystemRefused
from integrations.contracts import Json


@dataclass(frozen=True)
class Message:
    """One message: ``id`` is the same each time it is sent, ``key`` says what it belongs to, ``headers`` what it is."""

    body: bytes
    key: str
    id: str
    headers: Mapping[str, str]


def publish(outside: HttpClient | System, queue: str, message: Message, *, keep: int) -> Json:
    """Send ``message`` to ``queue`` and return what the broker knows it by.

    ``keep`` is how many messages a Redis stream keeps. Raises `SystemRefused` for a connection that is to no broker, or
    a queue that it cannot have, and what its calls raise.
    """
    sender = _SENDERS.get(outside.kind)
    if sender is None:
        kinds = ", ".join(sorted(_SENDERS))
        raise SystemRefused(f"connection: it is of kind {outside.kind}; it has to be of {kinds}")
    if not sender.queue.fullmatch(queue):
        raise SystemRefused(f"queue: {sender.wanted}")
    return sender.send(outside, queue, message, keep)


def _to_redis(system: System, queue: str, message: Message, keep: int) -> Json:
    fields: dict[str, str | bytes] = {**message.headers, "key": message.key, "body": message.body}

    def add(seconds: float) -> Json:
        found, is_new = redis_stream.add_once(system.spec, queue, fields, key=message.id, longest=keep, seconds=seconds)
        return {"id": found, "is_new": is_new}

    return system.tried(
        f"XADD {queue}", add, is_safe=True, sent=Sent(message.body, {**message.headers, "key": message.key})
    )


def _to_kafka(system: System, queue: str, message: Message, _keep: int) -> Json:
    def produce(seconds: float) -> Json:
        partition, offset = kafka.produce(
            system.spec, queue, message.body, key=message.key, headers=message.headers, seconds=seconds
        )
        return {"partition": partition, "offset": offset}

    return system.tried(
        f"PRODUCE {queue}", produce, is_safe=False, sent=Sent(message.body, {**message.headers, "key": message.key})
    )


def _to_sqs(client: HttpClient, queue: str, message: Message, _keep: int) -> Json:
    return sqs.send(client, queue, message.body, key=message.key, message_id=message.id, headers=message.headers)


@dataclass(frozen=True)
class _Sender:
    send: Callable[[Any, str, Message, int], Json]
    queue: re.Pattern[str]
    wanted: str


_SENDERS: Mapping[str, _Sender] = {
    "kafka": _Sender(_to_kafka, re.compile("[A-Za-z0-9._-]{1,249}"), "a topic has letters, digits, dots, - and _"),
    "sqs": _Sender(
        _to_sqs,
        re.compile(r"[0-9]{12}/(?=.{1,80}\Z)[A-Za-z0-9_-]+(\.fifo)?"),
        "a queue is ACCOUNT/NAME, as its URL ends",
    ),
    "redis": _Sender(_to_redis, re.compile("[A-Za-z0-9._:/-]{1,249}"), "a stream has letters, digits and . _ : / -"),
}
