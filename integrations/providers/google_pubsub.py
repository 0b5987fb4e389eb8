"""Google Pub/Sub push: https://docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions.

Any Google customer can get a token for any audience: what makes it yours is the service account's address, so the hub
asks for both.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import Sample
from integrations.errors import MalformedPayload
from integrations.payloads import decode
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification.jwt import PublishedKeyJwt
from integrations.verification.reasons import Reason, unproven
from integrations.verification.remote_keys import KeySet, check_pasted, split_identity

_KEYS_URL = "https://www.googleapis.com/oauth2/v3/certs"
_TEST_EMAIL = "test-events@hub.invalid"


@dataclass(frozen=True, kw_only=True)
class _PushToken(PublishedKeyJwt):
    """An OIDC token whose audience is the secret and whose address is the subscription's service account."""

    audience: str = ""
    email: str = ""

    def check_key(self, key: str) -> None:
        """Refuse another audience than the one in the settings."""
        super().check_key(key)
        identity, pem = split_identity(key)
        if not pem and self.audience not in {"", identity}:
            raise ValueError("The secret is another audience than the one in the endpoint's settings.")

    def is_for(self, claims: Mapping[str, Any], key: str) -> bool:
        """Return whether audience and address are the endpoint's; raises `VerificationFailed` if it names no address.

        A test event's key is the hub's own, so that no address has to tell whose it is.
        """
        identity, pem = split_identity(key)
        email = self.email or (_TEST_EMAIL if pem else "")
        if not email:
            raise unproven(Reason.SETTING_MISSING, setting="email")
        return claims.get("aud") == identity and claims.get("email") == email and claims.get("email_verified") is True

    def claims_of(self, key: str) -> dict[str, Any]:
        """Return audience and address."""
        email = self.email or _TEST_EMAIL
        return {"aud": split_identity(key)[0], "email": email, "email_verified": True, "sub": "1" * 21}


def _scheme(settings: Settings) -> _PushToken:
    pasted = settings.get("certs_by_kid", {})
    check_pasted(pasted)
    return _PushToken(
        word="Bearer",
        algorithms=("RS256",),
        issuers=("https://accounts.google.com", "accounts.google.com"),
        required=("exp", "iat"),
        lifetime_seconds=3600,
        keys=KeySet(url=_KEYS_URL, pasted=pasted),
        audience=settings.get("audience", ""),
        email=settings.get("email", ""),
    )


def _decoded(content_type: str, body: bytes) -> Any:
    """Return the envelope with ``message.data`` as the JSON value or the text that it holds, where it holds one."""
    payload = decode(content_type, body)
    message = payload.get("message") if isinstance(payload, dict) else None
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(data, str):
        return payload
    try:
        raw = base64.b64decode(data, validate=True)
        text = raw.decode()
    except ValueError:
        return payload  # bytes that are no text stay as they came
    try:
        message["data"] = decode("application/json", raw)
    except MalformedPayload:
        message["data"] = text
    return payload


def _sample(event_type: str, event_id: str) -> Sample:
    data = base64.b64encode(json.dumps({"note": "A test event from the hub."}).encode()).decode()
    message = {
        "attributes": {"eventType": event_type or "test"},
        "data": data,
        "messageId": event_id,
        "publishTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    return json_sample({"message": message, "subscription": "projects/myproject/subscriptions/mysubscription"})


providers.register("google_pubsub")(
    Provider(
        name="Google Pub/Sub",
        documentation_url="https://docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "email": {
                    "type": "string",
                    "title": "Service account",
                    "description": "The address of the service account that the push subscription authenticates as, "
                    "such as push@myproject.iam.gserviceaccount.com. Without it every request is refused: any Google "
                    "customer can get a token for your audience.",
                    "maxLength": 320,
                },
                "audience": {
                    "type": "string",
                    "title": "Audience",
                    "description": "The subscription's audience; the same text as the secret, which is enough.",
                    "maxLength": 2000,
                },
                "certs_by_kid": {
                    "type": "object",
                    "title": "Certificates by kid",
                    "description": "Google's certificates, each under its key id, as PEM or JWK, for a hub that cannot "
                    f"reach {_KEYS_URL}. Google changes them every few days. Empty: the hub fetches them.",
                    "additionalProperties": {"type": ["string", "object"]},
                    "maxProperties": 50,
                },
            }
        ),
        event_id=("body:message.messageId || message.message_id",),
        event_type=("body:message.attributes.eventType || message.attributes.type",),
        decoder=_decoded,
        secret_help="The push subscription's audience; where none is set, it is the push URL itself.",
        not_covered="The token shows that the subscription sends; it does not cover the body.",
        retries="Repeated until it is acknowledged, for as long as the subscription keeps messages (7 days).",
        retry_hours=168,
        sample=_sample,
    )
)
