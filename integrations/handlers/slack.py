"""`slack.message`: a message in a channel, by a connection with a bot's token or to an incoming webhook.

https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from integrations.connectors.answers import Answer
from integrations.contracts import Json
from integrations.errors import GiveUp, RetryLater
from integrations.handlers import Context, InboundEvent, handler
from integrations.values import rendered, scope_of

#: What Slack answers when it is not the message that is wrong.
_FOR_NOW = frozenset({"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"})
_WAIT = timedelta(minutes=1)
_FINAL = frozenset({400, 403, 404, 410})
_WORD = re.compile("[a-z_]{1,50}")
_MOST_CHARACTERS = 40_000

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["connection", "text"],
    "properties": {
        "connection": {
            "type": "string",
            "format": "connection",
            "description": "the name of a connection: base URL https://slack.com/api, a bot's token as bearer; or one "
            "of kind slack_webhook",
        },
        "channel": {
            "type": "string",
            "format": "template",
            "minLength": 1,
            "maxLength": 500,
            "description": "a template: the channel's id or name, such as C0123456789; left out for a webhook, which "
            "has its channel",
        },
        "text": {
            "type": "string",
            "format": "template",
            "minLength": 1,
            "maxLength": 10_000,
            "description": "a template: the message, in Slack's markup; values cannot bring mentions or links along",
        },
    },
}


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the message: ``text``, and ``channel`` if the config has one.

    Raises `GiveUp` where one is empty or the text too long.
    """
    scope = scope_of(event)
    # Slack wants &, < and > escaped and nothing else: https://docs.slack.dev/messaging/formatting-message-text
    text = rendered(config["text"], scope, field="text", html=True).replace("&quot;", '"').replace("&#x27;", "'")
    message = {"text": text}
    if "channel" in config:
        message = {"channel": rendered(config["channel"], scope, field="channel").strip(), **message}
    for name, value in message.items():
        if not value.strip():
            raise GiveUp(f"{name}: it comes out empty")
    if len(text) > _MOST_CHARACTERS:
        raise GiveUp(f"text: it has {len(text):,} characters; Slack takes {_MOST_CHARACTERS:,}")
    return message


@handler("slack.message", config_schema=CONFIG_SCHEMA, preview=preview, dry_run={"POST chat.postMessage": {"ok": True}})
def message(event: InboundEvent, context: Context) -> Json:
    """Write a message made from the event into a channel of Slack.

    Returns the ``channel`` and the ``ts`` that Slack knows the message by; nothing through an incoming webhook, which
    does not say.
    """
    client = context.http(context.config["connection"])
    content = preview(event, context.config)
    if client.kind == "slack_webhook":
        if "channel" in content:
            raise GiveUp("channel: the connection is a webhook, which has its channel; leave it out")
        _accept_word(client.post(json=content))
        return {}
    if "channel" not in content:
        raise GiveUp("channel: it is missing; only a connection of kind slack_webhook does without")
    answer = client.post("chat.postMessage", json=content).json()
    if isinstance(answer, dict) and answer.get("ok") is True:
        return {name: answer.get(name) for name in ("channel", "ts")}
    error = str(answer.get("error", "unknown"))[:100] if isinstance(answer, dict) else "unknown"
    if error in _FOR_NOW:
        raise RetryLater(_WAIT, f"Slack says {error}")
    raise GiveUp(f"Slack refuses it: {error}")


def _accept_word(answer: Answer) -> None:
    """Take a webhook's answer, a word, for what it is: 400, 403, 404 and 410 are for good."""
    if answer.status_code in _FINAL:
        word = answer.text.strip()
        raise GiveUp(f"Slack refuses it: {word if _WORD.fullmatch(word) else answer.status_code}")
    answer.raise_for_status()
