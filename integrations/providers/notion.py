"""Notion: https://developers.notion.com/reference/webhooks.

Notion makes the secret itself and sends it once, unsigned, as ``verification_token``, when the subscription is made.
It wants the token entered in its own form too, so the hub shows a delivered one to who may confirm it, until then.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from integrations.contracts import InboundRequest, Sample
from integrations.errors import MalformedPayload
from integrations.payloads import decode
from integrations.providers import Answer, Delivered, Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Plain

_SIGNATURE_HEADER = "X-Notion-Signature"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}", re.ASCII)
_LONGEST = 1000


def _delivered(request: InboundRequest) -> Delivered | None:
    if request.method != "POST" or request.headers.get(_SIGNATURE_HEADER) or len(request.body) > _LONGEST:
        return None
    try:
        payload = decode(request.content_type, request.body)
    except MalformedPayload:
        return None
    token = payload.get("verification_token") if isinstance(payload, dict) else None
    return Delivered(token, Answer()) if isinstance(token, str) and _TOKEN.fullmatch(token) else None


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "id": event_id,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "workspace_id": "13950b26-c203-4f3b-b97d-93ec06319565",
            "subscription_id": "29d75c0d-5546-4414-8459-7b7a92f1fc4b",
            "type": event_type or "page.created",
            "authors": [{"id": "c7c11cca-1d73-471d-9b6e-bdef51470190", "type": "person"}],
            "attempt_number": 1,
            "entity": {"id": "153104cd-477e-809d-8dc4-ff2d96ae3090", "type": "page"},
        }
    )


providers.register("notion")(
    Provider(
        name="Notion",
        documentation_url="https://developers.notion.com/reference/webhooks",
        scheme=Hmac(headers=(_SIGNATURE_HEADER,), layout=Plain("sha256=")),
        event_id=("body:id",),
        event_type=("body:type",),
        delivered_secret=_delivered,
        sensitive_fields=("verification_token",),
        enters_delivered_secret=True,
        secret_help="Notion delivers it: let the endpoint wait for the secret, make the subscription, confirm what "
        "came and enter it in Notion's form.",
        retries="Up to 8 times over 24 hours.",
        retry_hours=24,
        sample=_sample,
    )
)
