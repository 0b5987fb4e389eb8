"""X (Twitter), Account Activity and other webhooks: https://docs.x.com/x-api/webhooks/introduction.

X asks for a computed answer (the "challenge-response check") when the webhook is made and at least daily from then on.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers
from integrations.providers.handshakes import Computed, json_answer
from integrations.providers.samples import json_sample, unix_seconds
from integrations.verification import Hmac, Plain
from integrations.verification.reasons import Reason, unproven
from integrations.verification.texts import query_parameter

# The answer is a signature over a stranger's text: no event's body is such a text, and none that is one is taken.
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class ResponseToken(Computed):
    """GET with ``crc_token``, answered with its HMAC under the consumer secret."""

    methods: frozenset[str] = field(default=frozenset({"GET"}), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return the answer; raises `VerificationFailed` for a token of other characters."""
        token = query_parameter(request, "crc_token")
        if request.method not in self.methods or not token or not self.keys:
            return None
        if not _TOKEN.fullmatch(token):
            raise unproven(Reason.CHALLENGE_UNREADABLE)
        digest = hmac.digest(self.keys[0].encode("utf-8", "surrogatepass"), token.encode("ascii"), "sha256")
        return json_answer({"response_token": "sha256=" + base64.b64encode(digest).decode("ascii")})


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "for_user_id": "2244994945",
            event_type or "tweet_create_events": [
                {"id_str": event_id, "text": "A test event from the hub.", "timestamp_ms": str(unix_seconds() * 1000)}
            ],
        }
    )


@dataclass(frozen=True, kw_only=True)
class SignedBody(Hmac):
    """The HMAC over the body, which is nothing that `ResponseToken` signs for anybody: ``a=b``, ``42``."""

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that signed the body; raises `VerificationFailed`."""
        if _TOKEN.fullmatch(request.body.decode("latin-1")):
            raise unproven(Reason.BODY_NOT_SIGNED)
        return super().verify(request, keys)


providers.register("x_twitter")(
    Provider(
        name="X (Twitter)",
        documentation_url="https://docs.x.com/x-api/webhooks/introduction",
        scheme=SignedBody(headers=("X-Twitter-Webhooks-Signature",), layout=Plain("sha256="), encoding="base64"),
        # It sends no id: the body decides.
        event_type=("body:keys(@)[?@ != 'for_user_id' && @ != 'user_has_blocked'] | [0]",),
        handshake=ResponseToken(),
        secret_help="Developer portal, your app, Keys and tokens: API Key Secret (the consumer secret).",
        deadline_seconds=3,
        retries="Enterprise only: three times within 5 minutes.",
        retry_hours=1,
        sample=_sample,
    )
)
