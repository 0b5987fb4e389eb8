"""Sentry, integration platform: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/.

The signature covers the body alone: ``Sentry-Hook-Timestamp`` is information, not protection. Of a delivery that is not
answered within a second there is no second one.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    resource, _, action = (event_type or "issue.created").partition(".")
    payload = {
        "action": action or "created",
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
        "data": {"issue": {"id": "1170820242", "title": "A test event from the hub.", "level": "error"}},
        "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
    }
    headers = {"Sentry-Hook-Resource": resource, "Request-ID": event_id, "Sentry-Hook-Timestamp": str(unix_seconds())}
    return json_sample(payload, headers)


providers.register("sentry")(
    Provider(
        name="Sentry",
        documentation_url="https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
        scheme=Hmac(headers=("Sentry-Hook-Signature",)),
        event_id=("header:Request-ID",),
        event_type=("header:Sentry-Hook-Resource", "body:action"),
        secret_help="Settings, Developer Settings, your integration: Client Secret.",
        deadline_seconds=1,
        retries="None.",
        retry_hours=0,
        not_covered="The id, the resource and the time, which stand in headers.",
        sample=_sample,
    )
)
