"""GitHub: https://docs.github.com/en/rest/repos/webhooks#list-deliveries-for-a-repository-webhook.

The list has no bodies, and of redeliveries one entry each, under the ``guid`` of the first. The body comes from a call
for each delivery, as JSON that GitHub has parsed: the bytes that were signed are not to be had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx

from integrations.history import Api, History, NotAnswered, NotThere, Original, Page, Sent, answered, histories, json_of

_PER_PAGE = "100"
_PROOFS = frozenset({"x-hub-signature", "x-hub-signature-256"})

_HOOK = {"type": "integer", "minimum": 1}
_NAME = r"[A-Za-z0-9_.-]+"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "repository": {"type": "string", "pattern": f"^{_NAME}/{_NAME}$", "description": "such as octo-org/hello"},
        "organization": {"type": "string", "pattern": f"^{_NAME}$", "description": "an organization's name"},
        "hook": _HOOK,
    },
    "oneOf": [
        {"required": ["repository", "hook"], "not": {"required": ["organization"]}},
        {"required": ["organization", "hook"], "not": {"required": ["repository"]}},
        {"maxProperties": 0},
    ],
    "description": "a repository and its hook, an organization and its hook, or nothing for an app's own hook",
}


def _path(settings: Mapping[str, Any]) -> str:
    if "repository" in settings:
        return f"repos/{settings['repository']}/hooks/{settings['hook']}/deliveries"
    if "organization" in settings:
        return f"orgs/{settings['organization']}/hooks/{settings['hook']}/deliveries"
    return "app/hook/deliveries"


def _ask(api: Api, settings: Mapping[str, Any], /, *, since: datetime, until: datetime, cursor: str) -> Page:
    path = _path(settings)
    response = answered(api, path, {"per_page": _PER_PAGE, **({"cursor": cursor} if cursor else {})})
    try:
        found = [(_moment(entry["delivered_at"]), entry) for entry in json_of(response)]
        first: dict[str, Sent] = {}
        for at, entry in found:
            if since <= at <= until:
                first.setdefault(entry["guid"], _sent(api, path, entry, at))
    except (KeyError, TypeError, ValueError):
        raise NotAnswered("the provider's answer is not a list of deliveries") from None
    is_over = not found or min(at for at, _ in found) < since  # the newest come first
    return Page(list(first.values()), "" if is_over else _next_cursor(response))


def _sent(api: Api, path: str, entry: Mapping[str, Any], at: datetime) -> Sent:
    kind = ".".join(text for text in (entry["event"], entry.get("action")) if text)
    return Sent(entry["guid"], kind, at, partial(_original, api, f"{path}/{int(entry['id'])}", entry["guid"]))


def _original(api: Api, path: str, guid: str) -> Original:
    try:
        request = json_of(answered(api, path))["request"]
        headers = {str(name): str(value) for name, value in request["headers"].items()}
        payload = request["payload"]
    except (KeyError, TypeError, AttributeError):
        raise NotThere("the provider does not have the request any more") from None
    if not isinstance(payload, dict):
        raise NotThere("the provider does not have the body any more")
    # The body is JSON here also where the hook sends forms, and what was signed is not there.
    left_out = _PROOFS | {"content-type", "content-length", "x-github-delivery"}
    kept = {name: value for name, value in headers.items() if name.lower() not in left_out}
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Original({**kept, "Content-Type": "application/json", "X-GitHub-Delivery": guid}, body)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _next_cursor(response: httpx.Response) -> str:
    # The cursor alone: with the credentials no address is called that an answer names.
    url = response.links.get("next", {}).get("url", "")
    return httpx.URL(url).params.get("cursor", "") if url else ""


histories.register("github")(
    History(
        documentation_url="https://docs.github.com/en/rest/repos/webhooks#list-deliveries-for-a-repository-webhook",
        base_url="https://api.github.com",
        settings_schema=_SCHEMA,
        kept=timedelta(days=3),
        ask=_ask,
    )
)
