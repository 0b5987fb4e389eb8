"""GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/.

``X-Gitlab-Event-UUID`` is no id of a delivery: hooks that set each other off share it.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.providers.standard_webhooks import STANDARD
from integrations.verification import Scheme, Token

_SECRET_TOKEN = Token(header="X-Gitlab-Token")


def _scheme(settings: Settings) -> Scheme:
    return STANDARD if settings.get("mode") == "signing_token" else _SECRET_TOKEN


def _sample(event_type: str, event_id: str) -> Sample:
    kind = event_type or "Push Hook"
    return json_sample(
        {
            "object_kind": kind.removesuffix(" Hook").lower().replace(" ", "_"),
            "event_name": "push",
            "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
            "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
            "ref": "refs/heads/main",
            "user_username": "jsmith",
            "project": {"id": 15, "name": "Diaspora", "path_with_namespace": "mike/diaspora"},
            "total_commits_count": 1,
        },
        # GitLab sends both names with one value when a signing token is set.
        {"X-Gitlab-Event": kind, "Idempotency-Key": event_id, "Webhook-Id": event_id},
    )


providers.register("gitlab")(
    Provider(
        name="GitLab",
        documentation_url="https://docs.gitlab.com/user/project/integrations/webhooks/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "mode": {
                    "enum": ["secret_token", "signing_token"],
                    "title": "What GitLab sends",
                    "description": "secret_token: the header X-Gitlab-Token shows the secret itself. signing_token: "
                    "GitLab signs each request (whsec_...), the body with it; choose it if your GitLab has it.",
                    "default": "secret_token",
                }
            }
        ),
        event_id=("header:Webhook-Id", "header:Idempotency-Key"),
        event_type=("header:X-Gitlab-Event",),
        retries="None by itself; a webhook that fails four times in a row is switched off for a while.",
        url_help="The project's Settings, Webhooks, Add new webhook: URL.",
        secret_help="Settings, Webhooks, your webhook: Secret token, or Signing token in that mode.",
        deadline_seconds=10,
        sample=_sample,
    )
)
