"""Mandrill (Mailchimp Transactional): https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/.

The webhook's key is shown only after Mandrill has looked whether the URL answers, which a HEAD request does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.providers.samples import unix_seconds
from integrations.verification import Hmac, Scheme
from integrations.verification.templates import FORM

_NO_EVENTS = frozenset({b"mandrill_events=%5B%5D", b"mandrill_events=[]"})


@dataclass(frozen=True)
class IsThere:
    """HEAD, or an empty list signed with a key that everybody knows: nothing is taken from either."""

    methods: frozenset[str] = field(default=frozenset({"HEAD"}), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return an empty answer to a request that brings no event."""
        return Answer() if request.method == "HEAD" or request.body in _NO_EVENTS else None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return None: what is signed is a batch of events."""
        return None


def _scheme(settings: Settings) -> Scheme:
    return Hmac(
        headers=("X-Mandrill-Signature",),
        algorithm="sha1",
        encoding="base64",
        template="{url}{sorted_form}",
        signed_url=settings.get("signed_url", ""),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    event = {
        "event": event_type or "send",
        "_id": event_id,
        "ts": unix_seconds(),
        "msg": {"_id": event_id, "email": "alice@example.com", "subject": "A test event", "state": "sent"},
    }
    return Sample(body=urlencode({"mandrill_events": json.dumps([event])}).encode(), content_type=FORM)


providers.register("mandrill")(
    Provider(
        name="Mandrill (Mailchimp Transactional)",
        documentation_url="https://mailchimp.com/developer/transactional/docs/webhooks/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The URL exactly as it is entered at Mandrill, query string included, if that is "
                    "not this endpoint's own address.",
                    "pattern": "^https?://[^\\s]+$",
                    "maxLength": 2000,
                }
            }
        ),
        # _id is the message's: a link in it can be clicked twice, so the time belongs to the id. A batch of several
        # has no id of its own: the body decides.
        event_id=("body:length(@) == `1` && [0]._id && join('.', [[0]._id, [0].event, to_string([0].ts)])",),
        event_type=("body:[0].event",),
        json_field="mandrill_events",
        batch="@",
        item_event_id=("body:_id && join('.', [_id, event, to_string(ts)])",),
        item_event_type=("body:event",),
        handshake=IsThere(),
        url_help="Mandrill, Settings, Webhooks, Add a Webhook: the URL to post to.",
        secret_help="Mandrill, Settings, Webhooks: the webhook's Key. It is there only once the webhook has been made, "
        "and Mandrill wants an answer from this URL before: save any text as the secret first.",
        retries="For about a day, with growing pauses.",
        retry_hours=24,
        sample=_sample,
    )
)
