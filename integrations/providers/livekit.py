"""LiveKit: https://docs.livekit.io/home/server/webhooks/."""

from __future__ import annotations

from dataclasses import replace

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification.jwt import SharedJwt


def _scheme(settings: Settings) -> SharedJwt:
    api_key = settings.get("api_key", "")
    return SharedJwt(
        issuers=(api_key,) if api_key else (),
        required=("exp",),
        lifetime_seconds=300,
        body_claim="sha256",
        body_encoding="base64",
    )


def _sample(event_type: str, event_id: str) -> Sample:
    room = {"sid": "RM_hycBMAjmt6Ub", "name": "demo", "creationTime": str(unix_seconds())}
    event = {"event": event_type or "room_started", "room": room, "id": event_id, "createdAt": str(unix_seconds())}
    return replace(json_sample(event), content_type="application/webhook+json")


providers.register("livekit")(
    Provider(
        name="LiveKit",
        documentation_url="https://docs.livekit.io/home/server/webhooks/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "api_key": {
                    "type": "string",
                    "title": "API key",
                    "description": "The key that belongs to the secret (API...). Set, every token has to name it as "
                    "its issuer.",
                    "maxLength": 200,
                }
            }
        ),
        event_id=("body:id",),
        event_type=("body:event",),
        secret_help="Project settings, Keys: the API secret of the key that is chosen for webhooks.",
        sample=_sample,
    )
)
