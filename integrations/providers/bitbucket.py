"""Bitbucket: https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/#Secure-webhooks.

Its ``X-Hub-Signature`` is a SHA-256, where other senders put a SHA-1 under the same name. Data Center signs alike.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Plain


def _sample(event_type: str, event_id: str) -> Sample:
    payload = {
        "actor": {"type": "user", "display_name": "Emma", "nickname": "emmap1"},
        "repository": {"type": "repository", "name": "repo_name", "full_name": "team_name/repo_name"},
        "push": {"changes": [{"new": {"type": "branch", "name": "main"}, "created": False, "closed": False}]},
    }
    return json_sample(payload, {"X-Event-Key": event_type or "repo:push", "X-Request-UUID": event_id})


providers.register("bitbucket")(
    Provider(
        name="Bitbucket",
        documentation_url="https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
        scheme=Hmac(headers=("X-Hub-Signature",), layout=Plain("sha256=")),
        event_id=("header:X-Request-UUID|X-Request-Id",),
        event_type=("header:X-Event-Key",),
        recognised_by=("X-Event-Key",),  # others use the signature's header too
        url_help="Repository settings, Webhooks, Add webhook: URL.",
        secret_help="Repository settings, Webhooks, your webhook: the text in the field Secret.",
        deadline_seconds=10,
        retries="Twice after a timeout or a 5xx answer (X-Attempt-Number counts).",
        not_covered="The id and the type of the event, which stand in headers.",
        sample=_sample,
    )
)
