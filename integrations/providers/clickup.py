"""ClickUp: https://developer.clickup.com/docs/webhooksignature."""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    item = {
        "id": event_id,
        "type": 1,
        "date": str(unix_seconds() * 1000),
        "field": "status",
        "parent_id": "162641062",
        "user": {"id": 183, "username": "John"},
    }
    return json_sample(
        {
            "event": event_type or "taskUpdated",
            "history_items": [item],
            "task_id": "1vj37mc",
            "webhook_id": "7fa3ec74-69a8-4530-a251-8a13730bd204",
        }
    )


providers.register("clickup")(
    Provider(
        name="ClickUp",
        documentation_url="https://developer.clickup.com/docs/webhooks",
        scheme=Hmac(headers=("X-Signature",)),
        # Events without history (taskDeleted) have no id: the body decides.
        event_id=("body:join('.', [history_items[0].id, event])",),
        event_type=("body:event",),
        secret_help="The answer to the request that made the webhook: webhook.secret.",
        deadline_seconds=7,
        retries="Five tries; a webhook that fails too often is suspended.",
        sample=_sample,
    )
)
