"""Video, voice and content services that sign ``t=...`` and the body.

Mux         https://www.mux.com/docs/core/verify-webhook-signatures
ElevenLabs  https://elevenlabs.io/docs/overview/administration/webhooks
Sanity      https://www.sanity.io/docs/webhooks

The libraries of Mux and ElevenLabs let any timestamp in the future pass. Here one that is ahead by more than the
tolerance is refused: neither sends it, and it would make a captured request last. Sanity's looks at no age at all; it
sends again within a minute, so that the usual five are ample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import Sample
from integrations.providers import Provider, providers, settings_schema
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Fields, Hmac, Timestamp
from integrations.verification.layouts import Parsed


@dataclass(frozen=True, kw_only=True)
class UnpaddedFields(Fields):
    """Fields whose signature has no padding."""

    def parse(self, text: str) -> Parsed:
        """Return the list without the signatures that are padded: each has one spelling."""
        parsed = super().parse(text)
        return replace(parsed, signatures=[text for text in parsed.signatures if not text.endswith("=")])

    def format(self, signature: str, timestamp: str) -> str:
        """Return the list with the padding left out."""
        return super().format(signature.rstrip("="), timestamp)


_EVENT_TYPE: dict[str, Any] = {
    "type": "string",
    "title": "Place of the event's type",
    "description": "header:NAME or body:JMESPATH. What the body holds is up to the webhook's projection at Sanity; "
    "without one it is the document, whose type is in _type.",
    "default": "body:_type",
    "pattern": "^(header|body):.+$",
    "maxLength": 500,
}


def _mux(event_type: str, event_id: str) -> Sample:
    kind = event_type or "video.asset.ready"
    return json_sample(
        {
            "type": kind,
            "id": event_id,
            "created_at": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "object": {"type": "asset", "id": "0201p02fGKPE7MrbC269XRD7LpcHhrmbu0002"},
            "environment": {"name": "Production", "id": "ye3g5a"},
            "data": {"status": "ready", "id": "0201p02fGKPE7MrbC269XRD7LpcHhrmbu0002", "duration": 25.492133},
        }
    )


def _elevenlabs(event_type: str, event_id: str) -> Sample:
    data = {"agent_id": "xyz", "conversation_id": event_id, "status": "done", "transcript": []}
    kind = event_type or "post_call_transcription"
    return json_sample({"type": kind, "event_timestamp": unix_seconds(), "data": data})


def _sanity(event_type: str, event_id: str) -> Sample:
    document = {"_id": "0f2d1b0e-post", "_type": event_type or "post", "_rev": "t1", "title": "A test event"}
    return json_sample(document, {"Idempotency-Key": event_id})


providers.register("mux")(
    Provider(
        name="Mux",
        documentation_url="https://www.mux.com/docs/core/verify-webhook-signatures",
        scheme=Hmac(
            headers=("Mux-Signature",),
            layout=Fields(signature="v1", timestamp="t"),
            template="{timestamp}.{body}",
            timestamp=Timestamp(field="t"),
        ),
        event_id=("body:id",),
        event_type=("body:type",),
        secret_help="Dashboard, Settings, Webhooks, your webhook: Signing secret.",
        retries="For 24 hours.",
        retry_hours=24,
        sample=_mux,
    )
)
providers.register("elevenlabs")(
    Provider(
        name="ElevenLabs",
        documentation_url="https://elevenlabs.io/docs/overview/administration/webhooks",
        scheme=Hmac(
            headers=("ElevenLabs-Signature",),
            layout=Fields(signature="v0", timestamp="t"),
            template="{timestamp}.{body}",
            timestamp=Timestamp(field="t", tolerance_seconds=1800),
        ),
        event_id=("body:join('.', [type, data.conversation_id])",),
        event_type=("body:type",),
        secret_help="Settings, Webhooks: the shared secret that was shown once when the webhook was made (wsec_...).",
        sample=_elevenlabs,
    )
)
providers.register("sanity")(
    Provider(
        name="Sanity",
        documentation_url="https://www.sanity.io/docs/webhooks",
        scheme=Hmac(
            headers=("Sanity-Webhook-Signature",),
            layout=UnpaddedFields(signature="v1", timestamp="t"),
            encoding="base64url",
            template="{timestamp}.{body}",
            timestamp=Timestamp(field="t", unit="ms"),
        ),
        settings_schema=settings_schema({"event_type": _EVENT_TYPE}),
        event_id=("header:Idempotency-Key",),
        event_type=("body:_type",),
        secret_help="sanity.io/manage, your project, API, Webhooks, your webhook: Secret.",
        retries="Twice, 30 seconds apart.",
        retry_hours=1,
        not_covered="The header with the delivery's id.",
        sample=_sanity,
    )
)
