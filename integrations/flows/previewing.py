"""What the steps of a flow would do with an event, as far as it can be told: nothing is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integrations.contracts import InboundEvent, Json
from integrations.errors import GiveUp
from integrations.flows.plan import Step, needs_of
from integrations.flows.running import holds
from integrations.handlers import handlers


def previewed(steps: list[Step], event: InboundEvent) -> Json:
    """Return an object for each step: its ``name``, its ``handler`` and what it ``does``, or a ``note`` why not.

    Where ``event`` has ``steps``, these are the outputs that are known; a step that asks for another one cannot be
    told before that has run.
    """
    known: dict[str, Json] = dict(event.steps or {})
    found = []
    for step in steps:
        unknown = sorted(needs_of(step) - known.keys())
        shown = _previewed(step, replace(event, steps=dict(known)), unknown)
        if shown.get("skipped"):
            known.setdefault(step.name, None)
        found.append({"name": step.name, "handler": step.handler, **shown})
    return found


def _previewed(step: Step, event: InboundEvent, unknown: list[str]) -> dict[str, Any]:
    if unknown:
        return {"note": f"not known before it ran: the output of {', '.join(unknown)}"}
    entry = handlers.get(step.handler)
    try:
        if not holds(step, event):
            return {"skipped": True, "when": step.when}
        if entry is None or entry.preview is None:
            return {"note": "this handler has no preview"}
        return {"does": entry.preview(event, step.config)}
    except GiveUp as exc:
        return {"note": f"it would give up: {exc}"}
