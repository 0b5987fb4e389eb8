"""Stripe: https://docs.stripe.com/api/events/list.

It lists the account's events, sent to an endpoint or not: name the types that the endpoint is subscribed to. Each is
rendered in the API version that the account had when it was created; an endpoint with a version of its own was sent
another rendering, and ``pending_webhooks`` goes on counting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from integrations.history import Api, History, NotAnswered, Original, Page, Sent, answered, histories, json_of

_LIMIT = "100"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "types": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {"type": "string", "minLength": 1, "maxLength": 100},
        },
    },
}


def _ask(api: Api, settings: Mapping[str, Any], /, *, since: datetime, until: datetime, cursor: str) -> Page:
    params = {"limit": _LIMIT, "created[gte]": str(int(since.timestamp())), "created[lte]": str(int(until.timestamp()))}
    for number, name in enumerate(settings.get("types", ())):
        params[f"types[{number}]"] = name
    if cursor:
        params["starting_after"] = cursor
    answer = json_of(answered(api, "v1/events", params))
    try:
        entries = answer["data"]
        sent = [_sent(entry) for entry in entries]
        return Page(sent, entries[-1]["id"] if answer["has_more"] and entries else "")
    except (KeyError, TypeError, ValueError, OverflowError):
        raise NotAnswered("the provider's answer is not a list of events") from None


def _sent(entry: Mapping[str, Any]) -> Sent:
    return Sent(entry["id"], entry["type"], datetime.fromtimestamp(entry["created"], UTC), partial(_original, entry))


def _original(entry: Mapping[str, Any]) -> Original:
    body = json.dumps(entry, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    return Original({"Content-Type": "application/json; charset=utf-8"}, body)


histories.register("stripe")(
    History(
        documentation_url="https://docs.stripe.com/api/events/list",
        base_url="https://api.stripe.com",
        settings_schema=_SCHEMA,
        kept=timedelta(days=30),
        ask=_ask,
    )
)
