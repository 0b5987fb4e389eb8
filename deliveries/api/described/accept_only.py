"""``/accept-only/`` in the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema_view

from integrations.api.schema import operation

_NOTE = "The ERP moves until 14:00"
_ON = {"on": True, "who": "ada", "since": "2026-11-27T10:41:07.201533Z", "note": _NOTE}


def describe_accept_only(order: Any, answer: Any) -> Callable[[Any], Any]:
    """Return the decorator of the view that takes ``order`` and shows ``answer``."""
    return extend_schema_view(
        get=operation(
            "get_accept_only",
            "Show whether the hub only accepts events",
            description="In this mode events are verified, stored and acknowledged, and no handler is begun. That "
            "workers pause for want of room on the disk is not in it.",
            answers={200: ("How it stands.", answer, _ON)},
        ),
        post=operation(
            "switch_accept_only_on",
            "Let the hub only accept events",
            description="Within a second or so no worker begins anything; what runs goes on to its end. If it is on "
            "already nothing changes, the note included. Needs the permission `accept_only` and no restriction to "
            "groups.",
            request=(order, {"With the reason": {"note": _NOTE}}),
            answers={200: ("It is on.", answer, _ON)},
        ),
        delete=operation(
            "switch_accept_only_off",
            "Let workers begin again",
            description="What waits is handled in its order. Needs the permission `accept_only` and no restriction to "
            "groups.",
            answers={204: ("It is off.", None, None)},
        ),
    )
