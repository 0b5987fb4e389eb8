"""Plivo: https://www.plivo.com/docs/voice/concepts/signature-validation (version 3).

Nothing in the signed text says when: a request can be repeated, but not changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.verification import Hmac, Scheme
from integrations.verification.templates import FORM

_NONCE = "X-Plivo-Signature-V3-Nonce"
_MAX_PARAMETERS = 1000
# Plivo reads the answer as instructions for the call: none.
_NO_INSTRUCTIONS = Answer(body=b"<Response></Response>", content_type="text/xml; charset=utf-8")


@dataclass(frozen=True, kw_only=True)
class SortedQueryAndForm(Hmac):
    """The URL with its query sorted, the sorted form, the nonce."""

    def urls(self, request: InboundRequest) -> Sequence[str]:
        """Return the URL with its parameters decoded and sorted, as they stand before the form's fields."""
        found = []
        for url in super().urls(request):
            address, _, query = url.partition("?")
            try:
                pairs = parse_qsl(query, keep_blank_values=True, encoding="latin-1", max_num_fields=_MAX_PARAMETERS)
            except ValueError:
                continue  # what cannot be read cannot have been signed
            parameters = "&".join(f"{name}={value}" for name, value in sorted(pairs))
            found.append(f"{address}?{parameters}{'.' if parameters else ''}")
        return found


def _scheme(settings: Settings) -> Scheme:
    return SortedQueryAndForm(
        headers=("X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3"),
        encoding="base64",
        template=f"{{url}}{{sorted_form}}.{{header:{_NONCE}}}",
        signed_url=settings.get("signed_url", ""),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    fields = {
        "CallUUID": event_id,
        "Event": event_type or "StartApp",
        "CallStatus": "in-progress",
        "Direction": "inbound",
        "From": "15005550006",
        "To": "15005550010",
    }
    return Sample(body=urlencode(fields).encode(), content_type=FORM)


providers.register("plivo")(
    Provider(
        name="Plivo",
        documentation_url="https://www.plivo.com/docs/voice/concepts/signature-validation",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The URL exactly as it is entered at Plivo, query string included, if that is not "
                    "this endpoint's own address.",
                    "pattern": "^https?://[^\\s]+$",
                    "maxLength": 2000,
                }
            }
        ),
        event_id=("body:join('.', [CallUUID, Event])", "body:join('.', [MessageUUID, Status])"),
        event_type=("body:Event || (MessageUUID && join('.', ['message', Status || 'received'])) || CallStatus",),
        accepted=_NO_INSTRUCTIONS,
        secret_help="Plivo console, Overview: Auth Token (of the subaccount, if one owns the application).",
        sample=_sample,
    )
)
