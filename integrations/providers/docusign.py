"""DocuSign Connect: https://developers.docusign.com/platform/webhooks/connect/hmac/.

Each of the account's keys signs in a header of its own: X-DocuSign-Signature-1, -2, and so on.
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac

_MOST_KEYS = 100


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "event": event_type or "envelope-completed",
            "apiVersion": "v2.1",
            "uri": f"/restapi/v2.1/accounts/00000000-0000-0000-0000-000000000000/envelopes/{event_id}",
            "retryCount": 0,
            "configurationId": 10_000_000,
            "generatedDateTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": {"accountId": "00000000-0000-0000-0000-000000000000", "envelopeId": event_id},
        }
    )


providers.register("docusign")(
    Provider(
        name="DocuSign Connect",
        documentation_url="https://developers.docusign.com/platform/webhooks/connect/",
        scheme=Hmac(
            headers=tuple(f"X-DocuSign-Signature-{number}" for number in range(1, _MOST_KEYS + 1)), encoding="base64"
        ),
        # The number of the try is in the body, which therefore cannot tell a repeated delivery. XML has no id here.
        event_id=("body:join('.', [data.envelopeId, event, generatedDateTime])",),
        event_type=("body:event",),
        secret_help="DocuSign, Settings, Connect, Connect Keys: the HMAC key, shown once when it is made.",
        deadline_seconds=100,
        retries="For days, with growing pauses.",
        sample=_sample,
    )
)
