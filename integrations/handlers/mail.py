"""`email.send`: a mail made from an event, through the mail server that the hub's settings name."""

from __future__ import annotations

import json
import re
import smtplib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import formataddr
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email

from integrations.connectors.system import Sent, SystemFailed
from integrations.connectors.unnamed import Unnamed
from integrations.contracts import Json
from integrations.errors import GiveUp, RetryLater
from integrations.handlers import Context, InboundEvent, handler
from integrations.values import rendered, scope_of

#: One address, with or without a name before it. Nothing in the name can be taken for an address, whoever chose it.
_ADDRESS = re.compile(r"(?P<name>[^<>,;:@\"\\\x00-\x1f\x7f]*)<(?P<named>[^<>\s]+)>|(?P<bare>[^<>\s]+)")
_BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_MOST_RECIPIENTS = 50
_LONGEST_WAIT_MINUTES = 60
_MOST_SECONDS = 30.0


def _addresses(what: str) -> dict[str, Any]:
    return {
        "type": "array",
        "maxItems": _MOST_RECIPIENTS,
        "items": {"type": "string", "format": "template", "minLength": 1, "maxLength": 1000},
        "description": f"{what}, each a template for one address; one that makes nothing is left out",
    }


CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["to", "subject", "text"],
    "properties": {
        "to": {**_addresses("recipients, such as {{ payload.customer.email }}"), "minItems": 1},
        "subject": {"type": "string", "format": "template", "maxLength": 2000, "description": "a template"},
        "text": {
            "type": "string",
            "format": "template",
            "contentMediaType": "text/plain",
            "maxLength": 20_000,
            "description": "a template: the mail as plain text",
        },
        "html": {
            "type": "string",
            "format": "template",
            "contentMediaType": "text/html",
            "maxLength": 20_000,
            "description": "a template: the mail as HTML, beside the text; values are escaped",
        },
        "cc": _addresses("further recipients, whom all see"),
        "bcc": _addresses("further recipients, whom nobody sees"),
        "reply_to": _addresses("where answers go"),
        "from": {
            "type": "string",
            "maxLength": 320,
            "description": "the sender, such as Shop <shop@example.com>; HUB_EMAIL_FROM if it is left out",
        },
    },
}


class _Mail(EmailMultiAlternatives):
    """A mail that is handed to the server for one of its recipients at a time."""

    recipient = ""

    def recipients(self) -> list[str]:
        """Return whom the server is asked to bring it to."""
        return [self.recipient]


def preview(event: InboundEvent, config: Mapping[str, Any]) -> Json:
    """Return the mail: ``from``, ``to``, ``cc``, ``bcc``, ``reply_to``, ``subject``, ``text``, ``html``.

    Raises `GiveUp` for an address that is none, a subject of several lines, and a mail to nobody.
    """
    scope = scope_of(event)
    mail: dict[str, Any] = {"from": _sender(config)}
    for name in ("to", "cc", "bcc", "reply_to"):
        texts = [rendered(text, scope, field=f"{name}/{i}").strip() for i, text in enumerate(config.get(name, ()))]
        mail[name] = [_address(text, name) for text in texts if text]
    mail["subject"] = rendered(config["subject"], scope, field="subject").strip()
    if _BREAK.search(mail["subject"]):
        raise GiveUp("subject: a value brings a line break or another control character")
    mail["text"] = rendered(config["text"], scope, field="text")
    mail["html"] = rendered(config.get("html", ""), scope, field="html", html=True)
    if not mail["to"]:
        raise GiveUp("to: no address is found in the event")
    return mail


@handler("email.send", config_schema=CONFIG_SCHEMA, preview=preview, max_attempts=8, dry_run=True)
def send(event: InboundEvent, context: Context) -> Json:
    """Send a mail made from the event; another try writes only to those for whom the server has not taken it.

    Each recipient is a step of its own (`Context.once`). Returns the ``message_id`` and how many ``recipients`` there
    were. Raises `RetryLater` while the server refuses for now (4xx), `GiveUp` if it refuses for good (5xx), and
    `SystemFailed` where it cannot be reached.
    """
    if not settings.EMAIL_HOST:
        raise GiveUp("No mail server is set: HUB_EMAIL_URL.")
    mail = preview(event, context.config)
    message = _message(mail, context.idempotency_key)
    recipients = list(dict.fromkeys(_bare(text) for name in ("to", "cc", "bcc") for text in mail[name]))
    host = settings.EMAIL_HOST
    server = Unnamed("smtp", f"[{host}]" if ":" in host else host, (host, str(settings.EMAIL_PORT)))
    message_id = message.extra_headers["Message-ID"]
    refused = context.unnamed(server).tried(
        "SEND",
        lambda seconds: _handed_over(message, recipients, context, min(_MOST_SECONDS, seconds / 2)),
        is_safe=False,
        sent=Sent(json.dumps(mail, ensure_ascii=False).encode("utf-8", "backslashreplace"), {"Message-ID": message_id}),
    )
    sent = {"recipients": len(recipients), "message_id": message_id}
    context.log("mail", **sent)
    _judge(refused, context)
    return sent


def _handed_over(message: _Mail, recipients: Sequence[str], context: Context, seconds: float) -> dict[int, list[str]]:
    """Hand the mail to the server for each recipient; return who was refused, by the first digit of the answer.

    The server may be silent for ``seconds``. Raises `SystemFailed` if it cannot be reached or does not let the hub in.
    """
    refused: dict[int, list[str]] = {}
    try:
        with get_connection(timeout=seconds) as connection:
            for number, recipient in enumerate(recipients, start=1):
                message.connection, message.recipient = connection, recipient
                try:
                    context.once(f"mail:{sha256(recipient.encode()).hexdigest()}", message.send)
                except smtplib.SMTPRecipientsRefused as exc:
                    code, answer = next(iter(exc.recipients.values()))
                    refused.setdefault(code // 100, []).append(f"recipient {number}: {_said(code, answer, recipient)}")
                except smtplib.SMTPResponseException as exc:
                    said = _said(exc.smtp_code, exc.smtp_error, recipient)
                    refused.setdefault(exc.smtp_code // 100, []).append(f"recipient {number}: {said}")
    except OSError as exc:  # smtplib's own, too; not its text: servers repeat what they were sent
        said = f" {exc.smtp_code}" if isinstance(exc, smtplib.SMTPResponseException) else ""
        text = f"the mail server cannot be reached, or does not let the hub in ({type(exc).__name__}{said})"
        raise SystemFailed(text) from None
    return refused


def _judge(refused: Mapping[int, list[str]], context: Context) -> None:
    if 4 in refused:
        minutes = min(_LONGEST_WAIT_MINUTES, 2 ** min(context.attempt - 1, 10))
        raise RetryLater(timedelta(minutes=minutes), f"Refused for now: {'; '.join(refused[4])}")
    if refused:
        raise GiveUp(f"Refused: {'; '.join(text for texts in refused.values() for text in texts)}")


def _message(mail: Mapping[str, Any], key: str) -> _Mail:
    domain = _bare(mail["from"]).rpartition("@")[2]
    message = _Mail(
        mail["subject"],
        mail["text"],
        mail["from"],
        to=mail["to"],
        cc=mail["cc"],
        reply_to=mail["reply_to"],
        # The same at each try: whoever gets it twice after all can tell.
        headers={"Message-ID": f"<{key}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    if mail["html"]:
        message.attach_alternative(mail["html"], "text/html")
    return message


def _sender(config: Mapping[str, Any]) -> str:
    text = config.get("from") or settings.DEFAULT_FROM_EMAIL
    if not text:
        raise GiveUp("from: name a sender, here or in HUB_EMAIL_FROM")
    return _address(text.strip(), "from")


def _address(text: str, field: str) -> str:
    """Return ``text`` if it is one address; raises `GiveUp`, which does not repeat what came with the event."""
    found = _ADDRESS.fullmatch(text)
    try:
        validate_email(_bare(text))
    except ValidationError:
        found = None
    if found is None:
        raise GiveUp(f"{field}: a value is not one address, such as ann@example.com or Ann <ann@example.com>")
    name = (found["name"] or "").strip()
    return formataddr((name, found["named"])) if name else _bare(text)


def _bare(text: str) -> str:
    return text[text.rfind("<") + 1 : -1] if text.endswith(">") else text


def _said(code: int, answer: bytes | str, recipient: str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    # Servers repeat the address; it comes from the event, which not everybody who sees the attempt may see.
    return f"{code} {text.replace(recipient, '(the address)')[:300]}"
