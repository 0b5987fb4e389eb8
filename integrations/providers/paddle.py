"""Paddle Billing: https://developer.paddle.com/webhooks/signature-verification.

Paddle's own libraries refuse what was signed more than 5 seconds ago. That fits a server which answers by itself; a
busy network, a proxy that queues, or a clock that is a few seconds off would lose genuine events here. 30 seconds still
leave a captured request no use, since a repeated event id is stored once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, SourceNetworks, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification import Fields, Hmac, Scheme, Timestamp

_TOLERANCE_SECONDS = 30


def _scheme(settings: Settings) -> Scheme:
    return Hmac(
        headers=("Paddle-Signature",),
        layout=Fields(signature="h1", timestamp="ts", separator=";"),
        template="{timestamp}:{body}",
        timestamp=Timestamp(field="ts", tolerance_seconds=settings.get("tolerance_seconds", _TOLERANCE_SECONDS)),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json_sample(
        {
            "event_id": event_id,
            "event_type": event_type or "transaction.completed",
            "occurred_at": now,
            "notification_id": "ntf_01hv8x2axymkbvzxmv1h4y0rkg",
            "data": {"id": "txn_01hv8wptq8987qeep44cyrewp9", "status": "completed", "currency_code": "USD"},
        }
    )


_LIVE = ("34.232.58.13", "34.195.105.136", "34.237.3.244", "35.155.119.135", "52.11.166.252", "34.212.5.7")
_SANDBOX = ("34.194.127.46", "54.234.237.108", "3.208.120.145", "44.226.236.210", "44.241.183.62", "100.20.172.113")
_NETWORKS = SourceNetworks(
    [f"{address}/32" for address in (*_LIVE, *_SANDBOX)],
    url="https://developer.paddle.com/webhooks/respond-to-webhooks",
    checked_on="2026-11-22",
)

providers.register("paddle")(
    Provider(
        name="Paddle Billing",
        documentation_url="https://developer.paddle.com/webhooks/signature-verification",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "tolerance_seconds": {
                    "type": "integer",
                    "title": "Tolerance in seconds",
                    "description": "How far the signed time may be from the time of arrival. Paddle's own libraries "
                    "allow 5; more survives slow networks and clocks that differ.",
                    "default": _TOLERANCE_SECONDS,
                    "minimum": 5,
                    "maximum": 86_400,
                }
            }
        ),
        event_id=("body:event_id",),
        event_type=("body:event_type",),
        url_help="Developer tools, Notifications, New destination, of the type webhook: URL.",
        secret_help="Developer tools, Notifications, your destination: Secret key (pdl_ntfset_...).",
        deadline_seconds=5,
        retries="Up to 60 times in three days for live accounts.",
        retry_hours=72,
        source_networks=_NETWORKS,
        sample=_sample,
    )
)
