"""Mail services that sign nothing: the credential is part of the URL that is entered there.

Postmark   https://postmarkapp.com/developer/webhooks/webhooks-overview
Mailchimp  https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from integrations.contracts import Sample
from integrations.payloads import bracketed_form
from integrations.providers import Provider, providers
from integrations.providers.handshakes import Ready
from integrations.providers.samples import json_sample
from integrations.verification import Basic, Token
from integrations.verification.templates import FORM

_NOTHING_COVERED = "Everything: the credential tells who sends, not what."


def _postmark(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "RecordType": event_type or "Delivery",
            "ServerID": 23,
            "MessageStream": "outbound",
            "MessageID": event_id,
            "Recipient": "john@example.com",
            "Tag": "welcome-email",
            "DeliveredAt": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "Details": "A test event from the hub.",
            "Metadata": {},
        }
    )


def _mailchimp(event_type: str, event_id: str) -> Sample:
    fields = {
        "type": event_type or "subscribe",
        "fired_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "data[id]": event_id,
        "data[list_id]": "a6b5da1054",
        "data[email]": "api@mailchimp.com",
        "data[email_type]": "html",
        "data[merges][EMAIL]": "api@mailchimp.com",
        "data[merges][FNAME]": "Mailchimp",
    }
    return Sample(body=urlencode(fields).encode(), content_type=FORM)


providers.register("postmark")(
    Provider(
        name="Postmark",
        documentation_url="https://postmarkapp.com/developer/webhooks/webhooks-overview",
        scheme=Basic(),
        # Bounces have an id. One message is opened and clicked several times: the moment belongs to the id. Inbound
        # mail has no RecordType.
        event_id=(
            "body:ID && RecordType && join('.', [RecordType, to_string(ID)])",
            "body:join('.', [MessageID, RecordType, DeliveredAt || ReceivedAt || ChangedAt || BouncedAt])",
            "body:!RecordType && MessageID",
        ),
        event_type=("body:RecordType || (MessageID && 'Inbound')",),
        secret_help="Make up user and password, enter them here as user:password, and at Postmark in the webhook's URL "
        "(https://user:password@...) or under Basic auth credentials.",
        retries="Up to 10 times over six hours; a 403 stops it.",
        retry_hours=24,
        not_covered=_NOTHING_COVERED,
        sample=_postmark,
    )
)
providers.register("mailchimp")(
    Provider(
        name="Mailchimp",
        documentation_url="https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/",
        scheme=Token(parameter="secret"),
        decoder=bracketed_form,
        event_id=("body:join('.', [type, fired_at, data.id || data.list_id])",),
        event_type=("body:type",),
        handshake=Ready(frozenset({"GET", "HEAD"})),
        secret_help="Make up a long text, enter it here, and put it behind the endpoint's URL at Mailchimp: "
        "?secret=THE-TEXT.",
        retries="For 75 minutes with growing pauses.",
        retry_hours=2,
        not_covered=_NOTHING_COVERED,
        sample=_mailchimp,
    )
)
