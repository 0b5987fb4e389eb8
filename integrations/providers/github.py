"""GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.

The SHA-1 header that GitHub still sends beside the SHA-256 one is never looked at.
"""

from __future__ import annotations

from typing import Any

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Plain


def _sample(event_type: str, event_id: str) -> Sample:
    kind, _, action = (event_type or "push").partition(".")
    repository = {"id": 186853002, "name": "hello-world", "full_name": "octo-org/hello-world", "private": False}
    sender = {"id": 21031067, "login": "octocat", "type": "User"}
    payload: dict[str, Any] = {"repository": repository, "sender": sender}
    if action:
        payload = {"action": action, **payload}
    elif kind == "push":
        payload = {
            "ref": "refs/heads/main",
            "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
            "after": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
            "commits": [{"id": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c", "message": "A test event from the hub"}],
            **payload,
        }
    return json_sample(payload, {"X-GitHub-Event": kind, "X-GitHub-Delivery": event_id})


providers.register("github")(
    Provider(
        name="GitHub",
        documentation_url="https://docs.github.com/en/webhooks",
        scheme=Hmac(headers=("X-Hub-Signature-256",), layout=Plain("sha256=")),
        event_id=("header:X-GitHub-Delivery",),  # unchanged when GitHub redelivers, so it dedupes
        event_type=("header:X-GitHub-Event", "body:action"),
        json_field="payload",  # hooks of content type "form"; the signature covers the encoded form
        retries="None by itself; a delivery can be sent again by hand for three days.",
        retry_hours=72,
        url_help="The repository's (or organization's) Settings, Webhooks, Add webhook: Payload URL.",
        secret_help="Settings, Webhooks, your webhook: the text in the field Secret.",
        deadline_seconds=10,
        sample=_sample,
    )
)
