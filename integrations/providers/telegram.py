"""Telegram bots: https://core.telegram.org/bots/api#setwebhook.

The answer may itself be a call of the Bot API; the hub's is none.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, SourceNetworks, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Token


def _sample(event_type: str, event_id: str) -> Sample:
    message = {
        "message_id": 1365,
        "from": {"id": 1111111, "is_bot": False, "first_name": "Test"},
        "chat": {"id": 1111111, "first_name": "Test", "type": "private"},
        "date": unix_seconds(),
        "text": "A test event from the hub.",
    }
    number = int(event_id) if event_id.isascii() and event_id.isdecimal() else event_id
    return json_sample({"update_id": number, event_type or "message": message})


providers.register("telegram")(
    Provider(
        name="Telegram",
        documentation_url="https://core.telegram.org/bots/api#setwebhook",
        scheme=Token(header="X-Telegram-Bot-Api-Secret-Token"),
        event_id=("body:update_id",),
        # An update has one key besides its number, and that is its type.
        event_type=("body:keys(@)[?@ != 'update_id'] | [0]",),
        secret_help="The secret_token that you gave to setWebhook: 1 to 256 of A-Z, a-z, 0-9, _ and -.",
        retries="Until it is answered with 2xx, for about a day.",
        retry_hours=24,
        not_covered="The body: the token proves who sends, not what.",
        source_networks=SourceNetworks(
            ("149.154.160.0/20", "91.108.4.0/22"),
            url="https://core.telegram.org/bots/webhooks",
            checked_on="2026-11-22",
        ),
        sample=_sample,
    )
)
