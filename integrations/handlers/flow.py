"""`hub.flow`: several steps, each with the outputs of those before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.contracts import Json
from integrations.errors import GiveUp
from integrations.flows.plan import parts_of, steps_of, wrong_in
from integrations.flows.previewing import previewed
from integrations.flows.running import run_steps
from integrations.handlers import Context, InboundEvent, handler
from integrations.retry import RETRY_SCHEMA

MOST_STEPS = 20
KEY = "hub.flow"

_RETRY: dict[str, Any] = {
    **RETRY_SCHEMA,
    "description": "an object as the route's own retry, such as {max_attempts: 3}: the step's tries, of which none "
    "counts as an attempt of the delivery; left out: the route's decides",
    "properties": {name: value for name, value in RETRY_SCHEMA["properties"].items() if name != "max_age_seconds"},
}

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["steps"],
    "properties": {
        "steps": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_STEPS,
            "default": [{"name": "first", "handler": "log"}],
            "description": f"a list of 1 to {MOST_STEPS} steps, run in order: name, handler, config, when, retry",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "handler"],
                "properties": {
                    "name": {
                        "type": "string",
                        "maxLength": 40,
                        "pattern": r"^[a-z][a-z0-9_]*(?![\s\S])",
                        "description": "a name of lower-case letters, digits and _, by which later steps know it",
                    },
                    "handler": {
                        "type": "string",
                        "maxLength": 100,
                        "not": {"const": KEY},
                        "description": "the key of a handler, but no flow within the flow",
                    },
                    "config": {
                        "type": "object",
                        "description": "the handler's config; its JMESPaths and templates see payload, event and "
                        "steps, such as steps.lookup.body.id",
                    },
                    "when": {
                        "type": "string",
                        "format": "jmespath",
                        "maxLength": 2000,
                        "description": "a JMESPath over payload, event and steps: the step is skipped where it finds "
                        "nothing true; empty: never",
                    },
                    "retry": _RETRY,
                },
            },
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return for each step what it would do, as far as that can be told before it runs."""
    return previewed(steps_of(config), event)


@handler(KEY, config_schema=CONFIG_SCHEMA, preview=preview, parts=parts_of, check=wrong_in)
def flow(event: InboundEvent, context: Context) -> Json:
    """Run several handlers one after the other, each with the outputs of those before.

    A step that is over does not run again, neither at a retry nor at a replay that is not one from the start. Raises
    `StepFailed` for the first step that fails.
    """
    if event.steps is not None:
        raise GiveUp("A step of a flow cannot be a flow itself.")
    return run_steps(steps_of(context.config), event, context)
