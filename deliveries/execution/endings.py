"""How an attempt ended, and what follows for its delivery."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import CodeType, TracebackType

from deliveries.execution.journal import AttemptJournal
from deliveries.execution.timeouts import HandlerTimedOut, TimeLimit
from deliveries.models import Delivery, DeliveryStatus, Outcome
from deliveries.models.closing import AttemptResult, FollowUps
from deliveries.models.sealing import storable
from integrations.errors import GiveUp, RetryLater, StepFailed, UnknownHandler
from integrations.retry import LONGEST_WAIT, wait_before

MESSAGE_CHARACTERS = 4 * 1024
TRACEBACK_CHARACTERS = 32 * 1024
_NOT_RUN_WAIT = timedelta(minutes=1)


@dataclass(frozen=True)
class Ending:
    """The attempt's result, the delivery's next status, and, for a `WAITING` one, when it may run again.

    One that `has_follow_ups` is stored by itself, together with them: `Delivery.objects.close`. An attempt that is not
    ``spent`` leaves the delivery as many attempts as it had before.
    """

    result: AttemptResult
    status: DeliveryStatus
    due_at: datetime | None = None
    follow_ups: FollowUps | None = None
    spent: bool = True

    @property
    def has_follow_ups(self) -> bool:
        """Whether events have to be stored in the transaction that closes the attempt."""
        return self.follow_ups is not None


def success(journal: AttemptJournal, follow_ups: FollowUps | None = None) -> Ending:
    """Return the ending of a handler that returned, having emitted ``follow_ups``."""
    result = AttemptResult(outcome=Outcome.SUCCEEDED, log=journal.lines, response=journal.summary, calls=journal.calls)
    return Ending(result, DeliveryStatus.SUCCEEDED, follow_ups=follow_ups)


def failure(
    delivery: Delivery,
    error: BaseException,
    journal: AttemptJournal,
    *,
    now: datetime,
    rng: random.Random,
    stack: str,
) -> Ending:
    """Return the ending of a handler that raised ``error``; ``stack`` is the traceback to show.

    `GiveUp` and a handler that does not exist are final. `RetryLater` waits for exactly what it names, everything else
    as long as the route's policy says for such an error; both only while the policy has attempts left since the last
    replay, and while its age lets the next one start. What says that it spends no attempt needs none left.

    A step of a flow has failed with its ``cause``. Where it has a policy of its own that decides instead of the
    route's, in the step's tries, and the delivery's attempts are not spent.
    """
    step, error = (error, error.cause) if isinstance(error, StepFailed) else (None, error)
    policy = delivery.route.retry_policy.for_error(error)
    spent = not isinstance(error, RetryLater) or error.spends_attempt
    if step is not None and step.policy is not None and spent:
        spent = False
        wait = wait_before(step.tries, step.policy.for_error(error), rng)
        tries_left = wait is not None
    else:
        wait = wait_before(delivery.attempt_count - delivery.budget_start, policy, rng)
        tries_left = wait is not None or not spent
    if isinstance(error, GiveUp | UnknownHandler):
        wait = None
    elif isinstance(error, RetryLater) and isinstance(error.after, timedelta) and tries_left:
        wait = max(error.after, timedelta(0))
    due_at = None if wait is None else now + min(wait, LONGEST_WAIT)
    if due_at is not None and policy.is_too_old(delivery.budget_from, due_at):
        journal.log("not retried", {"because": "of its age", "max_age_seconds": policy.max_age_seconds})
        due_at = None
    result = AttemptResult(
        outcome=Outcome.TIMED_OUT if isinstance(error, HandlerTimedOut) else Outcome.FAILED,
        error_type=storable(type(error).__name__, 200),
        error_message=message_of(error)
        if step is None
        else storable(f"Step {step.step}: {message_of(error)}", MESSAGE_CHARACTERS),
        traceback=shortened(storable(stack)),
        log=journal.lines,
        response=journal.summary,
        calls=journal.calls,
    )
    return replace(_retried_at(due_at, result), spent=spent)


def not_run(delivery: Delivery, error: BaseException, *, now: datetime) -> Ending:
    """Return the ending of an attempt that failed on the way to or from its handler: that is the hub's own fault."""
    result = AttemptResult(
        outcome=Outcome.FAILED,
        error_type=storable(type(error).__name__, 200),
        error_message="The worker could not run the handler, or not take in how it ended; its log says why.",
    )
    return _retried_at(_own_retry(delivery, now), result)


def not_storable(delivery: Delivery, ending: Ending, *, now: datetime) -> Ending:
    """Return what is stored instead of an ``ending`` that the database refuses.

    That is its outcome and no more; but a success whose follow-up events cannot be stored is none.
    """
    if ending.has_follow_ups:
        text = "The database refused the result, or the events that the handler emitted; the worker's log says why."
        return _retried_at(_own_retry(delivery, now), AttemptResult(Outcome.FAILED, "NotStorable", text))
    result = AttemptResult(ending.result.outcome, "NotStorable", "The database refused the result.")
    return replace(ending, result=result)


def _own_retry(delivery: Delivery, now: datetime) -> datetime | None:
    """Return when to try again what is not the handler's failure; None if it was the last attempt."""
    due_at = now + _NOT_RUN_WAIT
    return None if delivery.has_no_retry_left(due_at) else due_at


def _retried_at(due_at: datetime | None, result: AttemptResult) -> Ending:
    return Ending(result, DeliveryStatus.DEAD if due_at is None else DeliveryStatus.WAITING, due_at)


def timeout_of(limit: TimeLimit) -> HandlerTimedOut:
    """Return the error of a handler that took longer than ``limit``."""
    return HandlerTimedOut(f"The handler took longer than the {limit.seconds:g} s of its route.")


def message_of(error: BaseException) -> str:
    """Return the error's text, storable and bounded."""
    try:
        text = str(error)
    except Exception as exc:  # an error's __str__ is anybody's code
        text = f"(the text of this error cannot be made: {type(exc).__name__})"
    return storable(text, MESSAGE_CHARACTERS)


def error_stack(error: BaseException, handler_code: CodeType | None) -> str:
    """Return the traceback of ``error`` from the handler's own frame on."""
    own = error.with_traceback(_from_handler(error.__traceback__, handler_code))
    return "".join(traceback.format_exception(own))


def limit_stack(limit: TimeLimit, handler_code: CodeType | None) -> str:
    """Return where the handler stood when ``limit`` was over, from its own frame on; "" if nobody looked."""
    frames = list(limit.stack or [])
    if handler_code is not None:
        of_handler = (
            place
            for place, frame in enumerate(frames)
            if frame.filename == handler_code.co_filename and frame.name == handler_code.co_name
        )
        frames = frames[next(of_handler, 0) :]
    return "Where it stood (innermost call last):\n" + "".join(traceback.format_list(frames)) if frames else ""


def shortened(text: str) -> str:
    """Return ``text`` within `TRACEBACK_CHARACTERS`: its beginning and, above all, its end."""
    if len(text) <= TRACEBACK_CHARACTERS:
        return text
    beginning, gap = TRACEBACK_CHARACTERS // 4, "\n[...]\n"
    return text[:beginning] + gap + text[-(TRACEBACK_CHARACTERS - beginning - len(gap)) :]


def _from_handler(tb: TracebackType | None, handler_code: CodeType | None) -> TracebackType | None:
    return next((part for part in _parts(tb) if part.tb_frame.f_code is handler_code), tb)


def _parts(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next
