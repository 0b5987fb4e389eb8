"""Running the steps of a flow, one after the other, in one attempt."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jmespath.exceptions import JMESPathError

from integrations.contracts import Context, InboundEvent, Journal, Json, within_flow_step
from integrations.errors import AttemptLost, GiveUp, RetryLater, StepFailed, UnknownHandler
from integrations.flows.plan import Step
from integrations.flows.record import Begun, Emitted, FlowRecord, Kept
from integrations.handlers import handlers
from integrations.routing import is_true
from integrations.values import scope_of

_LONGEST_KEY = 200
#: So often an interruption that comes from another thread is felt while a coroutine waits.
_NAP_SECONDS = 0.2


class ConditionFailed(GiveUp):
    """The condition of a step cannot be told for what there is; another run would see the same."""


class OutputNotKept(GiveUp):
    """What a step has left is not JSON, or too large to be kept: another run would leave the same."""


def run_steps(steps: list[Step], event: InboundEvent, context: Context) -> dict[str, Json]:
    """Run those of ``steps`` that are not over, and return the outputs of all.

    Raises `StepFailed` for the first that fails, and `AttemptLost`. The events that steps have emitted are emitted
    again, also by those that are over: they are stored when the whole delivery succeeds.
    """
    outputs: dict[str, Json] = {}
    over = context.journal.flow.over()
    for position, step in enumerate(steps):
        known = over.get(step.name)
        kept = known or _run_step(step, position, event=replace(event, steps=dict(outputs)), context=context)
        if known is not None:
            for emitted in known.emitted:
                context.journal.emit(*emitted)
        outputs[step.name] = kept.output
    return outputs


def _run_step(step: Step, position: int, *, event: InboundEvent, context: Context) -> Kept:
    record = context.journal.flow
    begun = record.begin(Begun(step.name, position, step.handler, step.when, resolved(step, event)))
    if isinstance(begun, Kept):
        return begun
    journal = StepJournal(context.journal, step.name)
    try:
        if not holds(step, event):
            return record.end(step.name, Kept(skipped=True))
        output = _called(step, event, context, journal)
        return _ended(record, step, Kept(output, tuple(journal.emitted)))
    except AttemptLost:
        raise
    except Exception as exc:
        spent = not isinstance(exc, RetryLater) or exc.spends_attempt
        record.fail(step.name, f"{type(exc).__name__}: {exc}", spent=spent)
        raise StepFailed(step.name, exc, tries=begun, policy=step.retry) from exc


def holds(step: Step, event: InboundEvent) -> bool:
    """Return whether ``step`` runs for ``event``; raises `ConditionFailed`, which says where its condition fails."""
    if not step.when:
        return True
    try:
        return is_true(step.when, scope_of(event))
    except JMESPathError as exc:
        raise ConditionFailed(f"its condition fails: {exc}") from exc


def resolved(step: Step, event: InboundEvent) -> Json:
    """Return what the handler makes of its config for ``event``: what it would send, or the config where that fails."""
    entry = handlers.get(step.handler)
    if entry is not None and entry.preview is not None:
        try:
            return entry.preview(event, step.config)
        except Exception:
            return dict(step.config)
    return dict(step.config)


def _called(step: Step, event: InboundEvent, context: Context, journal: StepJournal) -> Json:
    entry = handlers.get(step.handler)
    if entry is None:
        raise UnknownHandler(f"No installed app registers the handler {step.handler!r}.")
    key = context.idempotency_key_for(step.name)
    own = replace(context, config=step.config, journal=journal, idempotency_key=key)
    with within_flow_step(step.name):
        output = entry.run(event, own)
        return asyncio.run(_awaited(output)) if inspect.isawaitable(output) else output


def _ended(record: FlowRecord, step: Step, kept: Kept) -> Kept:
    try:
        return record.end(step.name, kept)
    except (TypeError, ValueError) as exc:
        raise OutputNotKept(f"it ran, but what it leaves cannot be kept: {exc}") from exc


async def _awaited(output: Awaitable[Json]) -> Json:
    """Await the handler in short naps: an interruption of its thread is not felt in a long one."""
    task = asyncio.ensure_future(output)
    while not task.done():
        await asyncio.wait({task}, timeout=_NAP_SECONDS)
    return task.result()


@dataclass
class StepJournal:
    """The `Journal` of one step: the attempt's own, with the keys of its steps apart from those of other steps."""

    outer: Journal
    name: str
    emitted: list[Emitted] = field(default_factory=list)

    @property
    def flow(self) -> FlowRecord:
        """Raise `GiveUp`: there is no flow in a flow."""
        raise GiveUp("A step of a flow cannot be a flow itself.")

    def log(self, message: str, fields: Mapping[str, Any]) -> None:
        """Keep a line, which names the step."""
        self.outer.log(message, {"step": self.name, **fields})

    def once(self, key: str, run: Callable[[], Json]) -> Json:
        """Do what the attempt's journal does, under a key of this step's."""
        return self.outer.once(self._scoped(key), run)

    async def aonce(self, key: str, run: Callable[[], Awaitable[Json]]) -> Json:
        """Do the same with a coroutine function."""
        return await self.outer.aonce(self._scoped(key), run)

    def response(self, summary: Mapping[str, Any]) -> None:
        """Keep what an outside system answered: the latest answer of the attempt."""
        self.outer.response({"step": self.name, **summary})

    def sent(self, call: Mapping[str, Any]) -> None:
        """Keep a call, which names the step."""
        self.outer.sent({"step": self.name, **call})

    def emit(self, event_type: str, payload: Json, endpoint: str) -> None:
        """Emit an event, and keep it with the step's output."""
        self.outer.emit(event_type, payload, endpoint)
        self.emitted.append(Emitted(event_type, payload, endpoint))

    def _scoped(self, key: str) -> str:
        if not 0 < len(key) <= _LONGEST_KEY:
            return key  # for the journal to refuse
        scoped = f"{self.name}/{key}"
        if len(scoped) <= _LONGEST_KEY:
            return scoped
        return f"{self.name}/{hashlib.sha256(key.encode()).hexdigest()}"
