"""HubSpot: https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation.

Versions 1 and 2 are no HMAC but the hash of secret and request one after the other, and carry no time: what was caught
once can be sent again. HubSpot sends version 3 beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from integrations.contracts import InboundRequest, Sample
from integrations.payloads import decode
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import unix_seconds
from integrations.verification import Hmac, Scheme, Timestamp

# HubSpot decodes these escapes before it signs, and no others: : / ? @ ! $ ' ( ) * , ;
_DECODED = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class DecodedUrl(Hmac):
    """An HMAC over a URL in which some escapes are decoded or, as HubSpot's own libraries have it, none are."""

    def urls(self, request: InboundRequest) -> Sequence[str]:
        """Return the URL as HubSpot documents it, then as it came."""
        found = [_DECODED.sub(lambda match: unquote(match[0]), url) for url in super().urls(request)]
        return list(dict.fromkeys([*found, *super().urls(request)]))


def _scheme(settings: Settings) -> Scheme:
    version, url = settings.get("version", "v3"), settings.get("signed_url", "")
    if version == "v3":
        return DecodedUrl(
            headers=("X-HubSpot-Signature-v3",),
            encoding="base64",
            template="{method}{url}{body}{timestamp}",
            timestamp=Timestamp(headers=("X-HubSpot-Request-Timestamp",), unit="ms"),
            signed_url=url,
        )
    template = "{method}{url}{body}" if version == "v2" else "{body}"
    return Hmac(headers=("X-HubSpot-Signature",), secret_first=True, template=template, signed_url=url)


def _decoded(_: str, body: bytes) -> Any:
    """Return the JSON, whatever the unsigned content type says: what a stranger can append to a hash is no JSON."""
    return decode("application/json", body)


def _sample(event_type: str, event_id: str) -> Sample:
    event = {
        "eventId": event_id,
        "subscriptionId": 12345,
        "portalId": 62515,
        "appId": 54321,
        "occurredAt": unix_seconds() * 1000,
        "subscriptionType": event_type or "contact.creation",
        "attemptNumber": 0,
        "objectId": 123,
        "changeFlag": "CREATED",
        "changeSource": "CRM",
    }
    return Sample(body=json.dumps([event], separators=(",", ":")).encode())


# One change reaches several subscriptions under one eventId. The number of the attempt is in the body, so the body
# cannot tell a repeated batch: the ids of all its events do.
_ONE_ID = "join('.', [to_string(eventId), to_string(subscriptionId), to_string(occurredAt)])"
_ID = f"body:type(@) == 'array' && [0].eventId && join(',', [].{_ONE_ID}) || eventId && {_ONE_ID}"

providers.register("hubspot")(
    Provider(
        name="HubSpot",
        documentation_url="https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "version": {
                    "enum": ["v1", "v2", "v3"],
                    "title": "Version of the signature",
                    "description": "Which of HubSpot's signatures counts. Apps send the third; v1 and v2 carry no "
                    "time, so that a request can be repeated for ever: for old senders only.",
                    "default": "v3",
                },
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The URL exactly as it is entered at HubSpot, if that is not this endpoint's own "
                    "address (versions 2 and 3 sign it).",
                    "pattern": "^https?://[^\\s]+$",
                    "maxLength": 2000,
                },
            }
        ),
        decoder=_decoded,
        event_id=(_ID,),
        event_type=("body:[0].subscriptionType || subscriptionType",),
        batch="@",
        item_event_id=(f"body:eventId && {_ONE_ID}",),
        item_event_type=("body:subscriptionType",),
        url_help="Your app's settings, Webhooks: Target URL; in a project, targetUrl of its webhooks.",
        secret_help="HubSpot, your app, Auth: Client secret.",
        deadline_seconds=5,
        retries="10 tries over 24 hours.",
        retry_hours=24,
        sample=_sample,
    )
)
