"""Asana: https://developers.asana.com/docs/webhooks-guide.

Asana makes the secret itself and sends it once, in ``X-Hook-Secret``, while the webhook is being made; it wants the
same header back. Each webhook has its own secret; several may point at one endpoint.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Delivered, Provider, providers
from integrations.providers.handshakes import EmptyBatch
from integrations.providers.samples import json_sample
from integrations.verification import Hmac

_SECRET_HEADER = "X-Hook-Secret"  # noqa: S105 - a header's name
_SIGNATURE_HEADER = "X-Hook-Signature"
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,200}", re.ASCII)
_LONGEST = 1000


def _delivered(request: InboundRequest) -> Delivered | None:
    secret = request.headers.get(_SECRET_HEADER, "")
    if request.method != "POST" or request.headers.get(_SIGNATURE_HEADER) or len(request.body) > _LONGEST:
        return None
    if not _SECRET.fullmatch(secret):
        return None
    return Delivered(secret, Answer(headers={_SECRET_HEADER: secret}))


def _sample(event_type: str, event_id: str) -> Sample:
    kind, _, action = (event_type or "task.changed").partition(".")
    event = {
        "user": {"gid": "1123", "resource_type": "user"},
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "action": action or "changed",
        "resource": {"gid": event_id, "resource_type": kind},
        "parent": None,
    }
    return json_sample({"events": [event]})


providers.register("asana")(
    Provider(
        name="Asana",
        documentation_url="https://developers.asana.com/docs/webhooks-guide",
        scheme=Hmac(headers=(_SIGNATURE_HEADER,)),
        # Neither requests nor events have an id: what they say decides.
        event_type=("body:events[0].resource.resource_type", "body:events[0].action"),
        batch="events",
        item_event_type=("body:resource.resource_type", "body:action"),
        handshake=EmptyBatch("events"),  # the heartbeat
        delivered_secret=_delivered,
        secret_help="Asana delivers it: let the endpoint wait for the secret, make the webhook, confirm what came.",
        deadline_seconds=10,
        retries="Repeated for 24 hours; then the webhook is deleted.",
        retry_hours=24,
        sample=_sample,
    )
)
