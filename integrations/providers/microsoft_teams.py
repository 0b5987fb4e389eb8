"""Microsoft Teams, outgoing webhooks.

https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook

The answer is shown in the channel, and has to be a message.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.handshakes import json_answer
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Plain


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "type": event_type or "message",
            "id": event_id,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "serviceUrl": "https://smba.trafficmanager.net/teams/",
            "channelId": "msteams",
            "from": {"id": "29:1XJKJMvc5GBtc2JwZq0oj8tHZmzrQgFmB39ATiQWA85g", "name": "Adele"},
            "conversation": {"isGroup": True, "id": "19:253b1f341670408fb6fe51050b6e5ceb@thread.skype"},
            "text": "<at>hub</at> A test event from the hub.",
        }
    )


providers.register("microsoft_teams")(
    Provider(
        name="Microsoft Teams (outgoing webhook)",
        documentation_url="https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/"
        "how-to/add-outgoing-webhook",
        scheme=Hmac(
            headers=("Authorization",),
            layout=Plain("HMAC "),
            encoding="base64",
            key_form="base64",
        ),
        event_id=("body:id",),
        event_type=("body:type",),
        accepted=json_answer({"type": "message", "text": "Received."}),
        secret_help="Shown once when the outgoing webhook is made: the HMAC security token.",
        deadline_seconds=5,
        retries="None; Teams shows an error in the channel.",
        sample=_sample,
    )
)
