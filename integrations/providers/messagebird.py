"""MessageBird (Bird): https://developers.messagebird.com/api/#verifying-http-requests.

The token covers the body and the whole URL as MessageBird calls it. Status reports of SMS come by GET unless the
account asks for POST; the hub takes only POST.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification.jwt import SharedJwt


def _scheme(settings: Settings) -> SharedJwt:
    return SharedJwt(
        header="MessageBird-Signature-JWT",
        algorithms=("HS256", "HS384", "HS512"),
        issuers=("MessageBird",),
        required=("nbf", "exp"),
        leeway_seconds=1,
        lifetime_seconds=60,
        body_claim="payload_hash",
        empty_body_unhashed=True,
        url_claim="url_hash",
        signed_url=settings.get("signed_url", ""),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "id": event_id,
            "recipient": "31612345678",
            "originator": "31687654321",
            "status": event_type or "delivered",
            "statusDatetime": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )


providers.register("messagebird")(
    Provider(
        name="MessageBird",
        documentation_url="https://developers.messagebird.com/api/#verifying-http-requests",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The address that MessageBird calls, exactly as it is entered there, if it is not "
                    "the endpoint's public URL.",
                    "maxLength": 2000,
                }
            }
        ),
        # The states of one message share its id.
        event_id=("body:id && status && join(':', [id, status])", "body:message.id", "body:id"),
        event_type=("body:type || status",),
        secret_help="Dashboard, Developers, Settings, API settings: Signing key.",
        sample=_sample,
    )
)
