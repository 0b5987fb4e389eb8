"""Running the handler of one claimed delivery, in the thread that calls."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import closing, nullcontext
from datetime import datetime, timedelta
from functools import lru_cache
from types import CodeType
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import close_old_connections, connections
from django.utils import timezone, translation

from deliveries import error_reports
from deliveries.execution import endings
from deliveries.execution.endings import Ending
from deliveries.execution.journal import AttemptJournal
from deliveries.execution.timeouts import HandlerTimedOut, TimeLimit
from deliveries.models import Delivery, Event
from deliveries.models.replaying import forget_steps
from deliveries.receiving import emitting
from deliveries.receiving.emitting import FollowUps
from integrations.calling.opening import StoredConnections
from integrations.contracts import Connections, Context
from integrations.errors import GiveUp, StepFailed, UnknownHandler
from integrations.handlers import Handler, handlers
from integrations.validation import validate_handler_config

#: An event loop ends its handler by itself at the limit; the thread is interrupted only if that does not work.
_LOOP_SECONDS = 1.0
_rng = random.SystemRandom()


class InvalidConfig(GiveUp):
    """A route's config does not fit its handler; another run cannot help before the route is mended."""


class BodyRemoved(GiveUp):
    """What the handler would be given is not kept any more."""


#: Makes what ``context.http`` leads to, for an endpoint; tests put their own here.
connections_for: Callable[[UUID], Connections] = StoredConnections


def run(delivery: Delivery, journal: AttemptJournal, limit: TimeLimit) -> Ending:
    """Run the handler and return how it ended; whatever the handler raises is part of that.

    ``delivery`` is as `claim` returned it. No transaction is open while the handler runs, and none that it left open
    survives it.
    """
    handler = handlers.get(delivery.route.handler)
    error: BaseException | None = None
    follow_ups: FollowUps | None = None
    try:
        close_old_connections()
        with limit:
            follow_ups = _call(handler, delivery, journal, limit)
    except BaseException as exc:  # SystemExit and the like, too: a handler cannot end the worker
        error = exc
        error_reports.handler_failed(exc)
    _tidy_connections(broken=limit.interrupted)
    return _ending(handler, delivery, journal, limit, error, follow_ups=follow_ups)


def stuck(delivery: Delivery, journal: AttemptJournal, limit: TimeLimit) -> Ending:
    """Return the ending of a handler that was interrupted and goes on all the same."""
    return _ending(handlers.get(delivery.route.handler), delivery, journal, limit, None)


def hung(delivery: Delivery, *, stack: str, now: datetime) -> Ending:
    """Return the ending of a handler whose whole process stood still; ``stack`` is where it was."""
    error = endings.timeout_of(TimeLimit(delivery.route.timeout_seconds))
    journal = AttemptJournal(delivery.pk, delivery.attempt_count)
    return endings.failure(delivery, error, journal, now=now, rng=_rng, stack=stack)


def _call(handler: Handler | None, delivery: Delivery, journal: AttemptJournal, limit: TimeLimit) -> FollowUps | None:
    """Run the handler; return what it has emitted, ready to be stored."""
    route = delivery.route
    deadline = timezone.now() + timedelta(seconds=route.timeout_seconds)
    if handler is None:
        raise UnknownHandler(f"No installed app registers the handler {route.handler!r}.")
    if not _fits(route.handler, json.dumps(route.config, sort_keys=True)):
        raise InvalidConfig(
            f"The config of route {route.name!r} does not fit the handler {route.handler!r}: edit and save the route."
        )
    if delivery.forget_steps:
        forget_steps(delivery)
    context = Context(
        config=route.config,
        delivery_id=str(delivery.pk),
        idempotency_key=str(delivery.idempotency_key),
        route=route.name,
        attempt=delivery.attempt_count,
        timeout_seconds=route.timeout_seconds,
        deadline=deadline,
        journal=journal,
        connections=connections_for(delivery.endpoint_id),
    )
    event = delivery.event
    if event.why_no_body:  # it went while an order to replay it was being carried out
        raise _without_body(event)
    inbound = event.inbound(lambda: _body_of(event))
    result = handler.run(inbound, context)
    if inspect.isawaitable(result):
        with closing(result) if inspect.iscoroutine(result) else nullcontext():
            _fetch_body(event)  # in a loop the database cannot be asked
            limit.extend(_LOOP_SECONDS)
            asyncio.run(_awaited(result, limit))
    return emitting.prepared(journal.emissions, cause=event, delivery=delivery, now=timezone.now())


def _body_of(event: Event) -> bytes:
    _fetch_body(event)
    return event.body


def _fetch_body(event: Event) -> None:
    """Fetch the body where the claim has left it in the database. Raises `BodyRemoved`."""
    if "raw_body" in event.get_deferred_fields():
        event.refresh_from_db(fields=["raw_body", "body_is_encrypted", "body_removed_at", "erased_at"])
    if event.why_no_body:
        raise _without_body(event)


def _without_body(event: Event) -> BodyRemoved:
    """Return the error to raise. It is kept with the attempt, and what is kept is English."""
    with translation.override(None):
        return BodyRemoved(event.why_no_body)


@lru_cache(maxsize=1024)
def _fits(handler: str, config: str) -> bool:
    """Return whether ``config`` (JSON) is what ``handler`` wants; looked at once, not at every run."""
    try:
        validate_handler_config(handler, json.loads(config))
    except ValidationError:
        return False
    return True


async def _awaited(result: Awaitable[object], limit: TimeLimit) -> None:
    scope = asyncio.timeout(limit.seconds)
    try:
        async with scope:
            await result
    except TimeoutError as exc:
        if scope.expired():
            raise endings.timeout_of(limit) from exc.__cause__
        raise
    if scope.expired():  # swallowed by the handler
        raise endings.timeout_of(limit)


def _ending(
    handler: Handler | None,
    delivery: Delivery,
    journal: AttemptJournal,
    limit: TimeLimit,
    error: BaseException | None,
    *,
    follow_ups: FollowUps | None = None,
) -> Ending:
    code = _code(handler)
    if limit.interrupted:
        error, stack = endings.timeout_of(limit), endings.limit_stack(limit, code)
    elif error is None:
        return endings.success(journal, follow_ups)
    elif isinstance(error, HandlerTimedOut) and error.__cause__ is not None:
        stack = endings.error_stack(error.__cause__, code)
    else:
        stack = endings.error_stack(error.cause if isinstance(error, StepFailed) else error, code)
    return endings.failure(delivery, error, journal, now=timezone.now(), rng=_rng, stack=stack)


def _code(handler: Handler | None) -> CodeType | None:
    code = getattr(inspect.unwrap(handler.run), "__code__", None) if handler else None
    return code if isinstance(code, CodeType) else None


def _tidy_connections(*, broken: bool) -> None:
    """Leave no transaction behind, and no connection that was interrupted in the middle of a query."""
    for connection in connections.all(initialized_only=True):
        if broken or connection.in_atomic_block:
            # The wrapper's own state cannot be trusted either: the next use makes a new one.
            connection.in_atomic_block = False
            connection.close()
            del connections[connection.alias]
    close_old_connections()
