"""Gitea and Forgejo: https://docs.gitea.com/usage/webhooks.

Each fork sends the signature under its own name, and Gogs under its own too; all are bare hexadecimal.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    payload = {
        "ref": "refs/heads/main",
        "before": "28e1879d029cb852e4844d9c718537df08844e03",
        "after": "bffeb74224043ba2feb48d137756c8a9331c449a",
        "commits": [{"id": "bffeb74224043ba2feb48d137756c8a9331c449a", "message": "A test event from the hub"}],
        "repository": {"id": 140, "name": "webhooks", "full_name": "gitea/webhooks", "private": False},
        "sender": {"id": 1, "login": "gitea"},
    }
    return json_sample(payload, {"X-Gitea-Event": event_type or "push", "X-Gitea-Delivery": event_id})


providers.register("gitea")(
    Provider(
        name="Gitea, Forgejo, Gogs",
        documentation_url="https://docs.gitea.com/usage/webhooks",
        scheme=Hmac(headers=("X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature")),
        event_id=("header:X-Gitea-Delivery|X-Forgejo-Delivery|X-Gogs-Delivery",),
        event_type=("header:X-Gitea-Event|X-Forgejo-Event|X-Gogs-Event",),
        json_field="payload",  # hooks of content type "form"; the signature covers the encoded form
        url_help="Repository settings, Webhooks, Add webhook: the URL.",
        secret_help="Repository settings, Webhooks, your webhook: the text in the field Secret.",
        deadline_seconds=5,
        retries="None; a delivery can be sent again by hand.",
        not_covered="The id and the type of the event, which stand in headers.",
        sample=_sample,
    )
)
