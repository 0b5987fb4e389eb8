"""Mailgun: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks.

The proof is in the body: an HMAC over a time and a random token. It does not cover the event, so that whoever has seen
one request could send others for a quarter of an hour; Mailgun asks to honour each token once for that reason.
Messages that a route forwards, and webhooks of the old kind, are forms with the same three values as fields.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cachetools import TTLCache

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Reason, Timestamp, unproven
from integrations.verification.bodies import body_value, with_body_value
from integrations.verification.templates import FORM

_TOLERANCE_SECONDS = 900
_MOST_TOKENS = 100_000


class UsedTokens:
    """Which body each token came with: the same one may come again, another may not.

    Kept in memory, for as long as a token is not stale; each process of the hub has its own.
    """

    def __init__(self) -> None:
        # As long again, since a time may also be ahead.
        self._bodies: TTLCache[bytes, bytes] = TTLCache(_MOST_TOKENS, ttl=2 * _TOLERANCE_SECONDS)
        self._lock = threading.Lock()

    def admit(self, token: str, *, key: str, body: bytes) -> bool:
        """Return whether ``token`` was not used under ``key`` with another body, and note that it is used with this."""
        name = hashlib.sha256(f"{key}\0{token}".encode("utf-8", "surrogatepass")).digest()
        body_hash = hashlib.sha256(body).digest()
        with self._lock:
            return self._bodies.setdefault(name, body_hash) == body_hash


@dataclass(frozen=True, kw_only=True)
class TimeAndToken(Hmac):
    """An HMAC over time and token, which are in the body beside it: in ``signature``, or fields of a form."""

    form: Hmac
    token_path: str
    used: UsedTokens = field(default_factory=UsedTokens, compare=False)

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that made the signature; raises `VerificationFailed`, also for a used token."""
        is_form = request.content_type == FORM
        index = self.form.verify(request, keys) if is_form else super().verify(request, keys)
        token = body_value(request, "token" if is_form else self.token_path)
        if not self.used.admit(token, key=keys[index], body=request.body):
            raise unproven(Reason.TOKEN_USED)
        return index

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with time, a new token and the signature in its body."""
        if request.content_type == FORM:
            return self.form.sign(with_body_value(request, "token", secrets.token_hex(25)), key, now=now)
        return super().sign(with_body_value(request, self.token_path, secrets.token_hex(25)), key, now=now)


_IN_FORM = Hmac(
    signature_path="signature",
    partial=True,
    template="{timestamp}{value:token}",
    timestamp=Timestamp(path="timestamp", tolerance_seconds=_TOLERANCE_SECONDS),
)
_SCHEME = TimeAndToken(
    signature_path="signature.signature",
    partial=True,
    template="{timestamp}{value:signature.token}",
    timestamp=replace(Timestamp(path="signature.timestamp", tolerance_seconds=_TOLERANCE_SECONDS)),
    form=_IN_FORM,
    token_path="signature.token",
)


def _sample(event_type: str, event_id: str) -> Sample:
    event = {
        "id": event_id,
        "event": event_type or "delivered",
        "timestamp": float(unix_seconds()),
        "recipient": "alice@example.com",
        "message": {"headers": {"message-id": "20130503182626.18666.16540@example.com", "subject": "A test event"}},
        "delivery-status": {"code": 250, "message": "OK"},
    }
    return json_sample({"signature": {}, "event-data": event})


providers.register("mailgun")(
    Provider(
        name="Mailgun",
        documentation_url="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks",
        scheme=_SCHEME,
        event_id=('body:"event-data".id || token',),
        event_type=('body:"event-data".event || event',),
        # The token with its signature is all that it takes to send as Mailgun.
        sensitive_fields=("signature", "token"),
        secret_help="Mailgun, API security (or Sending, Webhooks): HTTP webhook signing key. Not the API key.",
        not_covered="The event itself: the signature covers a time and a token, each token counts once for 15 minutes. "
        "dedupe set to signature.token makes that hold for ever, but takes a repeated delivery for a new event.",
        retries="For 8 hours, with growing pauses; the answer 406 stops them.",
        retry_hours=8,
        sample=_sample,
    )
)
