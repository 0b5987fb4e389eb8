"""Handlers that write down what they do where no kill can take it back: one line, one write, in an append-only file."""

from __future__ import annotations

import json
import os
import time
import uuid

from integrations.handlers import Context, InboundEvent, handler

#: The environment variable that names the file.
LEDGER = "HUB_CHAOS_LEDGER"


class NotYet(Exception):
    """What the traffic wants to fail."""


@handler("chaos.work")
def work(event: InboundEvent, context: Context) -> None:
    """Do a step once, fail as often as the payload says, take some time."""
    _note(context, "start")
    token = context.once("step", lambda: _step(context))
    _note(context, "kept", token=token)
    if context.attempt <= event.payload["failures"]:
        raise NotYet
    time.sleep(event.payload["seconds"])
    _note(context, "end")


def _step(context: Context) -> str:
    token = uuid.uuid4().hex
    _note(context, "step", token=token)
    return token


def _note(context: Context, what: str, **more: str) -> None:
    line = {"delivery": context.delivery_id, "attempt": context.attempt, "what": what, "at": time.time(), **more}
    descriptor = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
    finally:
        os.close(descriptor)
