"""Azure DevOps service hooks: https://learn.microsoft.com/en-us/azure/devops/service-hooks/services/webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Basic


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "id": event_id,
            "eventType": event_type or "git.push",
            "publisherId": "tfs",
            "scope": "all",
            "message": {"text": "A test event from the hub."},
            "resource": {"pushId": 14, "repository": {"name": "Fabrikam-Fiber-Git"}},
            "resourceVersion": "1.0",
            "createdDate": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
    )


providers.register("azure_devops")(
    Provider(
        name="Azure DevOps",
        documentation_url="https://learn.microsoft.com/en-us/azure/devops/service-hooks/services/webhooks",
        scheme=Basic(),
        event_id=("body:id",),
        event_type=("body:eventType",),
        secret_help="The user name and password that you entered in the service hook's action page, as user:password.",
        retries="After transient failures, with growing waits; then the subscription is put on probation.",
        not_covered="The body: user and password prove who sends, not what.",
        sample=_sample,
    )
)
