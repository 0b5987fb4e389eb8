"""Azure Event Grid: https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema.

The operator chooses where the secret stands: a header among the subscription's delivery properties, a bearer token, or
a parameter in the URL. Event Grid proves nothing else.
CloudEvents: https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.providers.handshakes import json_answer
from integrations.verification import Reason, Scheme, Token
from integrations.verification.reasons import malformed, unproven

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_CODE = re.compile(r"[\x21-\x7e]{1,256}")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class SubscriptionValidation:
    """Event Grid's own handshake, signed; and that of CloudEvents, OPTIONS, which only says that events may come."""

    methods: frozenset[str] = field(default=frozenset({"OPTIONS"}), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Let the asking host send: what it sends has to be proven all the same."""
        origin = request.headers.get("WebHook-Request-Origin", "").strip()
        if request.method != "OPTIONS" or not origin:
            return None
        if not _HOST.fullmatch(origin):
            raise unproven(Reason.CHALLENGE_UNREADABLE)
        allowed = {"WebHook-Allowed-Origin": origin, "Allow": "POST, OPTIONS"}
        if "WebHook-Request-Rate" in request.headers:
            allowed["WebHook-Allowed-Rate"] = "*"
        return Answer(headers=allowed)

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return the validation code; raises `MalformedPayload` if there is none."""
        first = payload[0] if isinstance(payload, list) and payload else None
        if not isinstance(first, Mapping) or first.get("eventType") != _VALIDATION:
            return None
        data = first.get("data")
        code = data.get("validationCode") if isinstance(data, Mapping) else None
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise malformed(Reason.CHALLENGE_UNREADABLE)
        return json_answer({"validationResponse": code})


def _scheme(settings: Settings) -> Scheme:
    placement = settings.get("placement", "header")
    if placement == "bearer":
        return Token(header="Authorization", word="Bearer")
    if placement == "query":
        return Token(parameter=settings.get("header", "token"))
    return Token(header=settings.get("header", "aeg-sas-key"))


def _sample(event_type: str, event_id: str) -> Sample:
    kind = event_type or "Microsoft.Storage.BlobCreated"
    event = {
        "topic": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/Storage",
        "subject": "/blobServices/default/containers/testcontainer/blobs/test.txt",
        "eventType": kind,
        "eventTime": datetime.now(UTC).isoformat(timespec="microseconds"),
        "id": event_id,
        "data": {"api": "PutBlob", "contentType": "text/plain", "contentLength": 26},
        "dataVersion": "",
        "metadataVersion": "1",
    }
    return Sample(body=json.dumps([event], separators=(",", ":")).encode(), headers={"aeg-event-type": "Notification"})


providers.register("azure_event_grid")(
    Provider(
        name="Azure Event Grid",
        documentation_url="https://learn.microsoft.com/azure/event-grid/handler-webhooks",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "placement": {
                    "enum": ["header", "bearer", "query"],
                    "title": "Where the token is",
                    "description": "In a header (a delivery property of the subscription), in Authorization: Bearer, "
                    "or in the URL's query string, which other servers may log.",
                    "default": "header",
                },
                "header": {
                    "type": "string",
                    "title": "Header or parameter",
                    "description": "The name of the header (aeg-sas-key by default); with placement query, the name of "
                    "the parameter (token by default).",
                    "pattern": "^[A-Za-z0-9_-]{1,100}$",
                },
            }
        ),
        # A batch of several has no id of its own: the body decides.
        event_id=("body:length(@) == `1` && [0].id || id",),
        event_type=("body:[0].eventType || [0].type || type",),
        batch="@",
        item_event_id=("body:id",),
        item_event_type=("body:eventType || type",),
        handshake=SubscriptionValidation(),
        secret_help="A long text that you make up. Azure portal, your event subscription, Delivery properties: a "
        "header aeg-sas-key with this value, marked as secret; or put it into the endpoint's URL (placement query).",
        not_covered="The events themselves: the token says who sends, not what.",
        deadline_seconds=30,
        retries="For 24 hours, with growing pauses.",
        retry_hours=24,
        sample=_sample,
    )
)
