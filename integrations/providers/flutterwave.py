"""Flutterwave: https://developer.flutterwave.com/docs/webhooks.

Version 3 of its API shows a secret hash in ``verif-hash``; version 4 signs the body in ``flutterwave-signature`` with
the same text as the key. A request that carries a signature is judged by it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Scheme, Token

_TOKEN = Token(header="Verif-Hash")
_SIGNATURE = Hmac(headers=("Flutterwave-Signature",), encoding="base64")


@dataclass(frozen=True, kw_only=True)
class SignatureOrToken(Hmac):
    """The signature, or the token where there is no signature."""

    token: ClassVar[Token] = _TOKEN

    @property
    def covers_body(self) -> bool:
        """False: the token covers nothing."""
        return False

    @property
    def shows_key(self) -> bool:
        """True: the token is."""
        return True

    @property
    def proof_headers(self) -> frozenset[str]:
        """The headers of both."""
        return super().proof_headers | self.token.proof_headers

    def check_key(self, key: str) -> None:
        """Refuse what cannot be both."""
        super().check_key(key)
        self.token.check_key(key)

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that signed the request, or that it shows; raises `VerificationFailed`."""
        by_token = self.headers[0] not in request.headers and _TOKEN.header in request.headers
        return self.token.verify(request, keys) if by_token else super().verify(request, keys)


_EITHER = SignatureOrToken(headers=_SIGNATURE.headers, encoding=_SIGNATURE.encoding)


def _scheme(settings: Settings) -> Scheme:
    return {"v3": _TOKEN, "v4": _SIGNATURE}.get(settings.get("version", ""), _EITHER)


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC)
    return json_sample(
        {
            "webhook_id": event_id,
            "timestamp": int(now.timestamp() * 1000),
            "type": event_type or "charge.completed",
            "data": {"id": "chg_d7MdPIEbsN", "amount": 100, "currency": "NGN", "status": "succeeded"},
        }
    )


providers.register("flutterwave")(
    Provider(
        name="Flutterwave",
        documentation_url="https://developer.flutterwave.com/docs/webhooks",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "version": {
                    "enum": ["any", "v3", "v4"],
                    "title": "Version of Flutterwave's API",
                    "description": "v3: the header verif-hash shows the secret itself. v4: each request is signed, the "
                    "body with it; choose it if your account has it. any: signed if there is a signature.",
                    "default": "any",
                }
            }
        ),
        event_id=("body:webhook_id", "body:join('.', [event, to_string(data.id), data.status])"),
        event_type=("body:type || event",),
        secret_help="Dashboard, Settings, Webhooks: Secret hash, a text that you make up.",
        retries="Three times, 30 minutes apart, if retries are switched on there.",
        retry_hours=2,
        not_covered="With version v3, and with any where no signature comes, nothing of the request: it tells who "
        "sends, not what.",
        sample=_sample,
    )
)
