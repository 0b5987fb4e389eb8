"""Grafana Alerting, webhook contact point with HMAC signature (Grafana 12 and later).

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/

Grafana signs the time of sending only if a header for it is named in the contact point; it has no default name.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Scheme, Timestamp

_HEADER_NAME = "^[A-Za-z0-9-]{1,100}$"


def _scheme(settings: Settings) -> Scheme:
    name = settings.get("timestamp_header", "")
    return Hmac(
        headers=(settings.get("header", "X-Grafana-Alerting-Signature"),),
        template="{timestamp}:{body}" if name else "{body}",
        timestamp=Timestamp(headers=(name,), tolerance_seconds=settings.get("tolerance_seconds", 300))
        if name
        else None,
    )


def _sample(event_type: str, event_id: str) -> Sample:
    status = event_type or "firing"
    alert = {
        "status": status,
        "labels": {"alertname": "A test event from the hub", "team": "blue"},
        "annotations": {"summary": "It is only a test."},
        "startsAt": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "fingerprint": event_id,
    }
    return json_sample({"receiver": "the hub", "status": status, "orgId": 1, "alerts": [alert], "version": "1"})


providers.register("grafana")(
    Provider(
        name="Grafana Alerting",
        documentation_url="https://grafana.com/docs/grafana/latest/alerting/configure-notifications/"
        "manage-contact-points/integrations/webhook-notifier/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "header": {
                    "type": "string",
                    "title": "Signature header",
                    "description": "The contact point's HMAC Signature, Header, if it was changed there.",
                    "default": "X-Grafana-Alerting-Signature",
                    "pattern": _HEADER_NAME,
                },
                "timestamp_header": {
                    "type": "string",
                    "title": "Timestamp header",
                    "description": "The contact point's HMAC Signature, Timestamp Header, if one is named there: the "
                    "time is then signed too, and old requests are refused.",
                    "pattern": _HEADER_NAME,
                },
                "tolerance_seconds": {
                    "type": "integer",
                    "title": "Tolerance in seconds",
                    "description": "How far the signed time may be from the time of arrival, in both directions.",
                    "default": 300,
                    "minimum": 1,
                    "maximum": 86_400,
                },
            }
        ),
        # A notification has no id: the body decides. One alert of it is known by what it is about.
        event_type=("body:status",),
        batch="alerts",
        item_event_id=("body:join('.', [fingerprint, startsAt, status])",),
        secret_help="Alerting, Contact points, your webhook, HMAC Signature: the text that you entered as Secret.",
        deadline_seconds=10,
        sample=_sample,
    )
)
