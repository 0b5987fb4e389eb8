"""A handler on a past event with all that its context leads to blocked: what it would have sent."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from deliveries.models import Delivery, Event
from deliveries.sent_calls import Call, cleared
from integrations.calling.blocked import Blocked, run_blocked
from integrations.contracts import Context
from integrations.errors import ConnectionMissing, GiveUp, RetryLater
from integrations.handlers import Handler
from integrations.models import Route

logger = structlog.get_logger(__name__)

_NOBODY = UUID(int=0)
#: What a client leaves of an attempt's time for recording how it ended: here there is nothing to be recorded.
_SPARE_SECONDS = 5.0
TOO_LONG = "It took longer than a dry run may."


@dataclass(frozen=True)
class Rehearsed:
    """What the handler would have sent and emitted, credentials masked; ``note`` says why it went no further."""

    calls: list[Call] = field(default_factory=list)
    emitted: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""


def rehearse(route: Route, handler: Handler, event: Event, *, past: Delivery | None, seconds: float) -> Rehearsed:
    """Run ``handler`` for at most ``seconds`` as ``route`` has it; ``past`` is the delivery whose keys it is given.

    The event is as handlers get it, credentials included; what comes of it is masked as it is on pages. Errors are
    part of what is returned: of an automation's own only the type, as its text may quote what is hidden.
    """
    from deliveries.execution.timeouts import HandlerTimedOut, TimeLimit  # not in the supervisor: see its test

    journal = Blocked()
    limit = TimeLimit(seconds)
    context = Context(
        config=route.config,
        delivery_id=str(past.pk if past else _NOBODY),
        idempotency_key=str(past.idempotency_key if past else _NOBODY),
        route=route.name,
        attempt=1,
        timeout_seconds=seconds,
        deadline=timezone.now() + timedelta(seconds=seconds + _SPARE_SECONDS),
        journal=journal,
    )
    alarm = threading.Timer(seconds, limit.interrupt)
    alarm.daemon = True
    note = ""
    try:
        with limit:
            alarm.start()
            run_blocked(handler, event.inbound(), context, endpoint_id=route.endpoint_id)
    except HandlerTimedOut:
        note = TOO_LONG
    except Exception as exc:
        note = _note(exc)
        logger.info("dry_run.ended_early", handler=handler.key, error_type=type(exc).__name__)
    finally:
        alarm.cancel()
    emitted: list[dict[str, Any]] = event.without_credentials(journal.emitted) or []
    return Rehearsed(cleared(journal.calls, event), emitted, event.without_credentials(note) or "")


def _note(error: Exception) -> str:
    match error:
        case TimeoutError():
            return TOO_LONG
        case RetryLater():
            return f"It would try again later: {error}"
        case ConnectionMissing() | GiveUp():
            return f"It would give up: {error}"
        case _:
            return f"It went no further ({type(error).__name__}); what is called does not answer in a dry run."
