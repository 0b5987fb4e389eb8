"""Buildkite: https://buildkite.com/docs/apis/webhooks/pipelines#http-headers.

The header holds time and signature: ``timestamp=1619071700,signature=30222e...``. Buildkite names no limit to the
time's age; the hub's is five minutes.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification import Fields, Hmac, Scheme, Timestamp, Token

_SIGNED = Hmac(
    headers=("X-Buildkite-Signature",),
    layout=Fields(signature="signature", timestamp="timestamp"),
    template="{timestamp}.{body}",
    timestamp=Timestamp(field="timestamp"),
)
_CLEAR = Token(header="X-Buildkite-Token")


def _scheme(settings: Settings) -> Scheme:
    return _CLEAR if settings.get("mode") == "token" else _SIGNED


def _sample(event_type: str, event_id: str) -> Sample:
    kind = event_type or "build.finished"
    payload = {
        "event": kind,
        "build": {"id": event_id, "number": 1, "state": "passed", "branch": "main", "message": "A test event"},
        "pipeline": {"id": "849411f9-9e6d-4739-a0d8-e247088e9b52", "slug": "my-pipeline"},
        "sender": {"id": "3d3c3bf0-7d58-4afe-8fe7-b3017d5504de", "name": "Keith"},
    }
    return json_sample(payload, {"X-Buildkite-Event": kind})


providers.register("buildkite")(
    Provider(
        name="Buildkite",
        documentation_url="https://buildkite.com/docs/apis/webhooks/pipelines",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "mode": {
                    "enum": ["signature", "token"],
                    "title": "Proof",
                    "description": "signature: the webhook sends an HMAC signature. token: it sends the token itself, "
                    "as clear text, which proves who sends and not what.",
                    "default": "signature",
                }
            }
        ),
        # It sends no id, and a build passes through the same state more than once: the body decides.
        event_type=("body:event",),
        secret_help="Notification Services, your webhook: Token; choose there to send it as an HMAC signature.",
        not_covered="With mode token, the whole request: only who sends is proven.",
        sample=_sample,
    )
)
