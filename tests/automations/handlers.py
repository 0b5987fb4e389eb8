"""Handlers that tests deliver to. A route's config says what a handler is to do."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import threading
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from integrations.errors import CircuitOpen
from integrations.handlers import Context, GiveUp, InboundEvent, RetryLater, handler

#: How often a step ran, and which deliveries were seen, in this process.
steps: dict[str, int] = defaultdict(int)
seen: list[tuple[str, int]] = []
#: What `test.fail` says, by delivery.
texts: dict[str, str] = {}
#: What `test.step` has begun and ended: ("begin" or "end", payload), in the order of time.
spans: list[tuple[str, dict[str, Any]]] = []
#: How often `test.act` was called, by delivery and by what the config calls it.
acts: dict[tuple[str, str], int] = defaultdict(int)
#: Handlers named `test.wait` go on once this is set.
go_on = threading.Event()


class Broken(Exception):
    """What a handler of a site may raise."""


@handler("test.note", max_attempts=4, timeout=timedelta(seconds=12))
def note(event: InboundEvent, context: Context) -> None:
    """Note the delivery and succeed."""
    seen.append((context.delivery_id, context.attempt))
    context.log("noted", payload=event.payload, in_transaction=connection.in_atomic_block)


@handler("test.nothing")
def nothing(event: InboundEvent, context: Context) -> None:
    """Succeed."""


@handler("test.measure")
def measure(event: InboundEvent, context: Context) -> None:
    """Log how long the body is, and the text in the payload's ``a``."""
    context.log("measured", body=len(event.body), text=len(event.payload["a"]))


@handler("test.ameasure")
async def ameasure(event: InboundEvent, context: Context) -> None:
    """Do the same as a coroutine."""
    await asyncio.sleep(0)
    context.log("measured", body=len(event.body), text=len(event.payload["a"]))


@handler("test.fail")
def fail(event: InboundEvent, context: Context) -> None:
    """Fail with the text that a test has left for the delivery."""
    context.log("about to fail")
    raise Broken(texts.get(context.delivery_id, "it does not work"))


@handler("test.call")
def call(event: InboundEvent, context: Context) -> None:
    """Call the connection that the config names, and say so in the log."""
    logging.getLogger(__name__).info("called by hand")
    if context.http(context.config["connection"]).post("/orders", json={"a": 1}).status_code >= 300:
        raise Broken("the answer was no")


@handler("test.acall")
async def acall(event: InboundEvent, context: Context) -> None:
    """Do the same as a coroutine."""
    await asyncio.sleep(0)
    logging.getLogger(__name__).info("called by hand")
    await context.ahttp(context.config["connection"]).post("/orders", json={"a": 1})


@handler("test.raise")
def throw(event: InboundEvent, context: Context) -> None:
    """Raise the error that the config names."""
    minute = timedelta(seconds=60)
    errors: list[Exception] = [Broken("no"), ConnectionResetError("reset"), RetryLater(minute), CircuitOpen(minute)]
    raise next(error for error in errors if type(error).__name__ == context.config["error"])


@handler("test.emit")
def emit(event: InboundEvent, context: Context) -> None:
    """Emit what the config says, then wait until a test lets it go on, or fail, if it says so."""
    seen.append((context.delivery_id, context.attempt))
    for event_type, payload in context.config.get("events", [["followed", {"after": event.event_type}]]):
        context.emit(event_type, payload, endpoint=context.config.get("endpoint", ""))
    while context.config.get("wait") and not go_on.is_set():
        time.sleep(0.01)
    if context.attempt <= context.config.get("failures", 0):
        raise Broken("after it has emitted")


@handler("test.keys")
def keys(event: InboundEvent, context: Context) -> None:
    """Log what is to be handed to outside systems, and by when."""
    left = context.deadline - datetime.now(UTC)
    context.log("keys", all=context.idempotency_key, one=context.idempotency_key_for("a"), left=left.total_seconds())


@handler("test.exit")
def leave(event: InboundEvent, context: Context) -> None:
    """Try to end the process."""
    raise SystemExit(3)


@handler("test.later")
def later(event: InboundEvent, context: Context) -> None:
    """Ask for another try."""
    raise RetryLater(timedelta(seconds=context.config["seconds"]))


@handler("test.give_up")
def give_up(event: InboundEvent, context: Context) -> None:
    """Say that it is no use."""
    raise GiveUp("no such customer")


@handler("test.strict", config_schema={"type": "object", "required": ["list"], "additionalProperties": False})
def strict(event: InboundEvent, context: Context) -> None:
    """Need a config."""


@handler("test.once")
def once(event: InboundEvent, context: Context) -> None:
    """Do one step, then fail as long as this is the first attempt."""

    def step() -> dict[str, object]:
        steps[context.delivery_id] += 1
        return {"number": steps[context.delivery_id], "pair": (1, 2), "nul": "\x00"}

    kept = context.once("step", step)
    context.log("kept", number=kept["number"], pair=kept["pair"])
    assert kept["nul"] == "\x00"
    if context.attempt == 1:
        raise Broken("after the step")


@handler("test.async")
async def asynchronous(event: InboundEvent, context: Context) -> None:
    """Await, and keep the result of an awaited step."""

    async def step() -> int:
        await asyncio.sleep(0)
        steps[context.delivery_id] += 1
        return steps[context.delivery_id]

    context.log("step", result=await context.aonce("step", step), plain=context.once("other", lambda: 7))
    await asyncio.sleep(context.config.get("seconds", 0))


@handler("test.sleep")
def sleep(event: InboundEvent, context: Context) -> None:
    """Sleep in short naps, or in one go that no exception ends."""
    seconds, nap = context.config["seconds"], context.config.get("nap", 0.02)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(nap)


@handler("test.wait")
def wait(event: InboundEvent, context: Context) -> None:
    """Wait until a test lets it go on."""
    seen.append((context.delivery_id, context.attempt))
    while not go_on.is_set():
        time.sleep(0.01)


@handler("test.step")
def step_in_line(event: InboundEvent, context: Context) -> None:
    """Note when it begins and ends; fail at the first attempts, as many as the payload says."""
    payload = event.payload
    spans.append(("begin", payload))
    try:
        time.sleep(payload.get("seconds", 0))
        if context.attempt <= payload.get("failures", 0):
            raise Broken(f"number {payload['number']} fails at attempt {context.attempt}")
    finally:
        spans.append(("end", payload))


@handler("test.spin")
def spin(event: InboundEvent, context: Context) -> None:
    """Compute for ever, now and then catching everything that is an Exception."""
    while True:
        with suppress(Exception):
            sum(range(1000))


@handler("test.swallow")
def swallow(event: InboundEvent, context: Context) -> None:
    """Swallow even the interruption, and return as if nothing were."""
    with suppress(BaseException):
        while True:
            time.sleep(0.01)


@handler("test.read")
def read(event: InboundEvent, context: Context) -> None:
    """Sit in a call to C that nobody ends until a test writes to the pipe."""
    os.read(context.config["descriptor"], 1)


@handler("test.keep_the_lock")
def keep_the_lock(event: InboundEvent, context: Context) -> None:
    """Sit in a call to C that keeps Python's lock, so that no other thread of the process can run."""
    context.log("about to hang")
    ctypes.PyDLL(None).sleep(3600)


@handler("test.leave_transaction")
def leave_transaction(event: InboundEvent, context: Context) -> None:
    """Open a transaction and forget it."""
    transaction.atomic().__enter__()


@handler("test.kill")
def kill(event: InboundEvent, context: Context) -> None:
    """End the whole worker process, as the kernel does with one that takes too much memory."""
    os._exit(9)


@handler("test.chatter")
def chatter(event: InboundEvent, context: Context) -> None:
    """Log and answer far more than is kept."""
    fields = {"text": "x" * context.config["width"]} if "width" in context.config else {}
    for _ in range(1000):
        context.log("line", **fields)
    context.record_response(status=200, body="y" * 1_000_000, headers={"a": "\x00" * 10})


@handler("test.act")
def act(event: InboundEvent, context: Context) -> Any:
    """Return the output of the config; fail at the first calls of this ``act``, as many as the config says."""
    config, place = context.config, (context.delivery_id, context.config.get("act", ""))
    acts[place] += 1
    context.log("act", kept=context.once("same key", lambda: config.get("act", "")), key=context.idempotency_key)
    for event_type in config.get("emits", ()):
        context.emit(event_type, {"of": config.get("act", "")})
    while config.get("wait") and not go_on.is_set():
        time.sleep(0.01)
    if acts[place] <= config.get("failures", 0):
        errors = (Broken("not yet"), GiveUp("never"), CircuitOpen(timedelta(seconds=60)), RetryLater(timedelta(300)))
        raise next(error for error in errors if type(error).__name__ == config.get("error", "Broken"))
    return {"steps": dict(event.steps or {})} if config.get("sees") else config.get("output")


@handler("test.aact")
async def asynchronous_act(event: InboundEvent, context: Context) -> Any:
    """Return what is kept of an awaited step."""

    async def step() -> dict[str, Any]:
        await asyncio.sleep(context.config.get("seconds", 0))
        return {"awaited": True}

    return await context.aonce("same key", step)
