"""Jira and Confluence Cloud: https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks.

Only webhooks that an administrator made, with a secret, are signed so; those of Connect apps carry a JWT instead.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Plain


def _sample(event_type: str, event_id: str) -> Sample:
    payload = {
        "timestamp": unix_seconds() * 1000,
        "webhookEvent": event_type or "jira:issue_created",
        "user": {"accountId": "99:27935d01-92a7-4687-8272-a9b8d3b2ae2e", "displayName": "Bryan"},
        "issue": {"id": "99291", "key": "JRA-20002", "fields": {"summary": "A test event from the hub."}},
    }
    return json_sample(payload, {"X-Atlassian-Webhook-Identifier": event_id})


providers.register("jira")(
    Provider(
        name="Jira, Confluence",
        documentation_url="https://developer.atlassian.com/cloud/jira/platform/webhooks/",
        scheme=Hmac(headers=("X-Hub-Signature",), layout=Plain("sha256=")),
        event_id=("header:X-Atlassian-Webhook-Identifier",),  # unchanged when Jira tries again
        event_type=("body:webhookEvent",),
        recognised_by=("X-Atlassian-Webhook-Identifier",),  # others use the signature's header too
        secret_help="Settings, System, WebHooks, your webhook: the text in the field Secret.",
        retries="Five times, 5 to 15 minutes apart, after a 408, 409, 425, 429 or 5xx answer or none.",
        retry_hours=2,
        not_covered="The id of the event, which stands in a header.",
        sample=_sample,
    )
)
