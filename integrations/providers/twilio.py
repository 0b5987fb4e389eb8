"""Twilio: https://www.twilio.com/docs/usage/security#validating-requests."""

from __future__ import annotations

from urllib.parse import urlencode

from integrations.contracts import Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.verification import Scheme, UrlAndForm
from integrations.verification.templates import FORM

# Twilio reads the answer as instructions for the call or the conversation: none.
_EMPTY_TWIML = Answer(
    body=b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>', content_type="text/xml; charset=utf-8"
)

# message.delivered, message.received, call.completed
_TYPE = (
    "body:MessageStatus && join('.', ['message', MessageStatus])"
    " || SmsStatus && join('.', ['message', SmsStatus])"
    " || CallStatus && join('.', ['call', CallStatus])"
)


def _scheme(settings: Settings) -> Scheme:
    return UrlAndForm(
        headers=("X-Twilio-Signature",),
        algorithm="sha1",
        encoding="base64",
        template="{url}{sorted_form}",
        signed_url=settings.get("signed_url", ""),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    kind, _, status = (event_type or "message.received").partition(".")
    fields = {
        "AccountSid": "AC00000000000000000000000000000000",
        "ApiVersion": "2010-04-01",
        "From": "+15005550006",
        "To": "+15005550010",
    }
    if kind == "call":
        fields |= {"CallSid": "CA00000000000000000000000000000000", "CallStatus": status, "Direction": "inbound"}
    else:
        sid = "SM00000000000000000000000000000000"
        fields |= {"MessageSid": sid, "SmsSid": sid, "SmsStatus": status, "Body": "A test event from the hub."}
    body = urlencode(sorted(fields.items())).encode()
    return Sample(body=body, content_type=FORM, headers={"I-Twilio-Idempotency-Token": event_id})


providers.register("twilio")(
    Provider(
        name="Twilio",
        documentation_url="https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The URL exactly as it is entered at Twilio, query string included, if that is not "
                    "this endpoint's own address (a proxy that changes it, a domain of yours).",
                    "pattern": "^https?://[^\\s]+$",
                    "maxLength": 2000,
                }
            }
        ),
        # A call tells of the same status several times (each <Gather>): without the token or a sequence number, the
        # body decides.
        event_id=(
            "header:I-Twilio-Idempotency-Token",
            "body:join('.', [MessageSid, MessageStatus || SmsStatus])",
            "body:join('.', [CallSid, CallStatus, SequenceNumber])",
        ),
        event_type=(_TYPE,),
        accepted=_EMPTY_TWIML,
        retries="Only if the URL asks for it (#rc=).",
        url_help="Console, the phone number's settings: the webhook for incoming calls or messages.",
        secret_help="Console, Account Info: Auth Token; or the secret of the shared key that signs your webhooks.",
        deadline_seconds=15,
        sample=_sample,
    )
)
