"""Shopify: https://shopify.dev/docs/api/admin-rest/latest/resources/order#get-orders?updated-at-min.

It keeps no list of what it sent. It lists resources by when they were made and last changed, in the form of the
webhooks, as they are now. The REST Admin API is a legacy one that goes on being released; GraphQL names fields
otherwise than the webhooks do. See docs/decisions/0012-backfill.md, "Shopify".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx

from integrations.history import Api, History, NotAnswered, Original, Page, Sent, answered, histories, json_of
from integrations.providers.shopify_changes import CHANGED, NEW, moment, resource_of, same_change, state_of

_LIMIT = "250"
_VERSION = "2026-10"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["topics"],
    "properties": {
        "topics": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": sorted(NEW | CHANGED)},
            "description": "what the endpoint is subscribed to, and nothing else",
        },
        "version": {
            "type": "string",
            "pattern": r"^20\d\d-(01|04|07|10)$",
            "description": f"of the API and the webhooks; {_VERSION} without it",
        },
    },
}


def _ask(api: Api, settings: Mapping[str, Any], /, *, since: datetime, until: datetime, cursor: str) -> Page:
    # What is new comes first: a change of it is told of with it.
    topics = sorted(settings["topics"], key=lambda topic: (topic not in NEW, topic))
    number, _, page_info = cursor.partition(":")
    place = int(number or 0)
    topic = topics[place]
    family = topic.partition("/")[0]
    version = settings.get("version", _VERSION)
    params = {"limit": _LIMIT, "page_info": page_info} if page_info else _first(topic, since=since, until=until)
    response = answered(api, f"admin/api/{version}/{family}.json", params)
    # It answers in the oldest version that it still has where it does not have the one that was asked for.
    spoken = response.headers.get("X-Shopify-API-Version", version)
    try:
        found = [_sent(topic, entry, spoken) for entry in json_of(response)[family]]
    except (KeyError, TypeError, ValueError):
        raise NotAnswered(f"the provider's answer is not a list of {family}") from None
    # While pages are asked for, what is on them changes: later changes are for a later time.
    sent = [one for one in found if since <= one.sent_at <= until]
    if following := _next_page(response):
        return Page(sent, f"{place}:{following}")
    return Page(sent, f"{place + 1}:" if place + 1 < len(topics) else "")


def _first(topic: str, *, since: datetime, until: datetime) -> dict[str, str]:
    by = "created_at" if topic in NEW else "updated_at"
    params = {"limit": _LIMIT, f"{by}_min": since.isoformat(), f"{by}_max": until.isoformat()}
    return {**params, "status": "any"} if topic.startswith("orders/") else params


def _sent(topic: str, entry: Any, version: str) -> Sent:
    resource, state, made = resource_of(topic, entry), state_of(entry), moment(entry["created_at"])
    name = same_change(topic, entry)
    if not name or state is None or made is None:
        raise ValueError("no id, or no time")
    is_new = topic in NEW
    original = partial(_original, topic, name, entry, version)
    return Sent(name, topic, made if is_new else state, original, resource=resource, state=state, is_new=is_new)


def _original(topic: str, name: str, entry: Mapping[str, Any], version: str) -> Original:
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Webhook-Id": name,
        "X-Shopify-API-Version": version,
    }
    return Original(headers, json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _next_page(response: httpx.Response) -> str:
    # The cursor alone: with the credentials no address is called that an answer names.
    url = response.links.get("next", {}).get("url", "")
    return httpx.URL(url).params.get("page_info", "") if url else ""


def _told(topic: str, payload: Any) -> tuple[str, datetime | None] | None:
    resource = resource_of(topic, payload)
    return None if not resource and topic in NEW | CHANGED else (resource, state_of(payload))


histories.register("shopify")(
    History(
        documentation_url="https://shopify.dev/docs/api/admin-rest/latest/resources/order",
        base_url="",
        base_url_help="https://SHOP.myshopify.com",
        settings_schema=_SCHEMA,
        kept=timedelta(days=60),
        # Webhooks are repeated for four hours, and "in rare circumstances" are up to a day late.
        settled=timedelta(hours=30),
        header="X-Shopify-Access-Token",
        prefix="",
        states=_told,
        ask=_ask,
    )
)
