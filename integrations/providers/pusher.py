"""Pusher Channels: https://pusher.com/docs/channels/server_api/webhooks/."""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Scheme, Timestamp


def _scheme(settings: Settings) -> Scheme:
    key = settings.get("key", "")
    return Hmac(
        headers=("X-Pusher-Signature",),
        timestamp=Timestamp(path="time_ms", unit="ms"),
        required=(("X-Pusher-Key", key),) if key else (),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    event = {"name": event_type or "channel_occupied", "channel": f"test-{event_id}"}
    return json_sample({"time_ms": unix_seconds() * 1000, "events": [event]})


providers.register("pusher")(
    Provider(
        name="Pusher Channels",
        documentation_url="https://pusher.com/docs/channels/server_api/webhooks/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "key": {
                    "type": "string",
                    "title": "Key",
                    "description": "The key of the app whose secret is the endpoint's. With it, requests that name "
                    "another key in X-Pusher-Key are refused; without it the secret alone decides.",
                    "pattern": "^[A-Za-z0-9]{1,100}$",
                }
            }
        ),
        event_type=("body:events[0].name",),
        batch="events",
        item_event_type=("body:name",),
        # A channel is occupied again and again, and its events say nothing of when.
        batch_stamp="time_ms",
        secret_help="Dashboard, your app, App Keys: the secret beside the key.",
        retries="For five minutes with growing pauses.",
        retry_hours=1,
        sample=_sample,
    )
)
