"""Slack: https://docs.slack.dev/authentication/verifying-requests-from-slack/.

Events, slash commands (a form) and interactive payloads (a form whose field ``payload`` is JSON) share one signature.
"""

from __future__ import annotations

from typing import Any

from integrations.contracts import Sample
from integrations.providers import Answer, Provider, Settings, providers
from integrations.providers.handshakes import ChallengeInBody
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Plain, Timestamp


def _accepted(payload: Any, _: Settings) -> Answer | None:
    """Return an empty answer to commands and interactions: what stands in it would be shown to the user as a reply."""
    is_event = isinstance(payload, dict) and "event" in payload
    return None if is_event else Answer()


def _sample(event_type: str, event_id: str) -> Sample:
    now = unix_seconds()
    return json_sample(
        {
            "token": "verification-token-of-the-sample",
            "team_id": "T061EG9R6",
            "api_app_id": "A0MDYCDME",
            "event": {
                "type": event_type or "app_mention",
                "user": "U061F7AUR",
                "text": "A test event from the hub.",
                "ts": f"{now}.000100",
                "channel": "C0LAN2Q65",
                "event_ts": f"{now}.000100",
            },
            "type": "event_callback",
            "event_id": event_id,
            "event_time": now,
        }
    )


providers.register("slack")(
    Provider(
        name="Slack",
        documentation_url="https://docs.slack.dev/apis/events-api/using-http-request-urls/",
        scheme=Hmac(
            headers=("X-Slack-Signature",),
            layout=Plain("v0="),
            template="v0:{timestamp}:{body}",
            timestamp=Timestamp(headers=("X-Slack-Request-Timestamp",)),
        ),
        event_id=("body:event_id || trigger_id",),
        event_type=("body:event.type || type || (command && 'slash_command')",),
        json_field="payload",
        handshake=ChallengeInBody(kind="url_verification"),
        accepted=_accepted,
        sensitive_fields=("token", "response_url"),
        retries="Three times: at once, after one minute and after five; X-Slack-Retry-Num counts.",
        retry_hours=1,
        url_help="Your app, Event Subscriptions, Enable Events: Request URL.",
        secret_help="Your app, Basic Information, App Credentials: Signing Secret.",
        deadline_seconds=3,
        sample=_sample,
    )
)
