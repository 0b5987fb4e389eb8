"""What a webhook of Shopify's tells of: a resource by its global id, and the state of it by ``updated_at``.

A preset module without a preset: the Admin API shows resources in the form of the webhooks, without their ids, so that
both have to be compared by what they tell of.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_GLOBAL = "gid://shopify/"
#: The name of a family of topics in global ids.
KINDS: Mapping[str, str] = {"orders": "Order", "products": "Product", "customers": "Customer"}
#: Topics whose webhooks hold the whole resource, as the Admin API has it, by what they tell.
NEW = frozenset({"orders/create", "products/create", "customers/create"})
CHANGED = frozenset({"orders/updated", "products/update", "customers/update"})


def resource_of(topic: str, payload: Any) -> str:
    """Return the global id of what ``payload`` tells of; "" if it tells of nothing that is known here.

    Where a subscription leaves the global id out, and of what was deleted, the number and the topic say it.
    """
    if not isinstance(payload, Mapping):
        return ""
    name = payload.get("admin_graphql_api_id")
    if isinstance(name, str) and name.startswith(_GLOBAL):
        return name
    kind, number = KINDS.get(topic.partition("/")[0]), payload.get("id")
    return f"{_GLOBAL}{kind}/{number}" if kind and isinstance(number, int) else ""


def state_of(payload: Any) -> datetime | None:
    """Return the state of its resource that ``payload`` holds, by the time of its last change; None if left out."""
    text = payload.get("updated_at") if isinstance(payload, Mapping) else None
    return moment(text) if isinstance(text, str) else None


def moment(text: str) -> datetime | None:
    """Return the time that ``text`` is in UTC; None if it is none, or has no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def same_change(topic: str, payload: Any) -> str:
    """Return the id under which a backfill stores what this webhook tells; "" if no backfill stores such a thing.

    Of a resource that is new there is one, whatever became of it since; of one that changed, one for each state.
    """
    resource = resource_of(topic, payload)
    if not resource:
        return ""
    if topic in NEW:
        return f"{topic}:{resource}"
    state = state_of(payload)
    return f"{topic}:{resource}:{state.isoformat()}" if topic in CHANGED and state else ""
