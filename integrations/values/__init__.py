"""Values of a handler's config that are made from an event: by JMESPath, or by a template.

    subject = rendered(config["subject"], scope_of(event), field="subject")

A JMESPath (`integrations.routing.search`) finds a value of the payload as it is; a template (`language`) makes a text.
In a schema they are marked ``"format": "jmespath"`` and ``"format": "template"``, and checked when a route is saved.
"""

from __future__ import annotations

from typing import Any

from integrations.contracts import InboundEvent, Json
from integrations.errors import GiveUp
from integrations.values.language import TemplateInvalid, TooMuchOutput, compiled

__all__ = ["TemplateInvalid", "ValueFailed", "check_template", "rendered", "root_of", "scope_of"]


class ValueFailed(GiveUp):
    """A template made nothing of this event: too much output or work. Another run would fail in the same way."""


def scope_of(event: InboundEvent) -> dict[str, Json]:
    """Return all that a template sees: ``payload``, and ``event`` with what identifies it. Headers are not there.

    In a flow also ``steps``, the outputs of the steps before.
    """
    return {
        **({} if event.steps is None else {"steps": dict(event.steps)}),
        "payload": event.payload,
        "event": {
            "id": event.id,
            "endpoint": event.endpoint,
            "provider": event.provider,
            "event_id": event.event_id,
            "type": event.event_type,
            "received_at": event.received_at.isoformat(),
        },
    }


def root_of(event: InboundEvent) -> Json:
    """Return what a JMESPath of a config looks in: the payload, and in a flow all that a template sees."""
    return event.payload if event.steps is None else scope_of(event)


def check_template(text: str) -> None:
    """Raise `TemplateInvalid`, which says where, if ``text`` is no template."""
    compiled(text)


def rendered(text: str, scope: dict[str, Any], *, field: str, html: bool = False) -> str:
    """Return what the template makes of ``scope``; with ``html`` its values are escaped.

    A value that is not there is "". Raises `ValueFailed`, which names ``field``.
    """
    try:
        return compiled(text).render_values(scope, html=html)
    except (TemplateInvalid, TooMuchOutput) as exc:
        raise ValueFailed(f"{field}: {exc}") from exc
