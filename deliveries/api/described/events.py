"""``/events/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view

from deliveries.api.answers import OriginalRequestSerializer, ReroutedSerializer, RevealedSerializer, VariantsSerializer
from deliveries.api.described.legal_holds import describe_legal_hold
from deliveries.api.orders import EditedReplayOrder, EmptyOrder, RevealOrder
from deliveries.api.serializers import EventSerializer
from integrations.api.schema import operation

EVENT_DELIVERY: dict[str, Any] = {
    "id": "01a201c4-e5ab-7789-8168-142fb51cb3c7",
    "route": "01a201c4-e566-76a8-9d8b-50bf4e3b2d27",
    "route_name": "Forward to the shop",
    "handler": "http.forward",
    "status": "succeeded",
    "attempt_count": 1,
}
EVENT: dict[str, Any] = {
    "id": "01a201c4-e5a9-7708-ab00-931c67611643",
    "endpoint": "orders",
    "provider": "generic_hmac",
    "verdict": "verified",
    "flags": [],
    "event_id": "o-1001",
    "event_type": "order.paid",
    "received_at": "2026-11-22T05:40:10.790587Z",
    "request_id": "071d9b1e4f3949f783c0fa38e86bc7e5",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "source": "192.0.2.7",
    "content_type": "application/json",
    "body_bytes": 52,
    "duplicates": 0,
    "payload": {"id": "o-1001", "type": "order.paid", "total": 250},
    "payload_omitted": False,
    "batch": None,
    "batch_index": None,
    "derived_from": None,
    "requested_by": "",
    "headers": {"Content-Length": "52", "Content-Type": "application/json", "X-Shop-Signature": "••••••"},
    "query_string": "",
    "body_removed_at": None,
    "headers_removed_at": None,
    "erased_at": None,
    "legal_hold": "",
    "deliveries": [EVENT_DELIVERY],
}

EDITED: dict[str, Any] = {
    **EVENT,
    "id": "01a2030f-27d1-7e0c-9c2b-6a8d0a6b91f4",
    "verdict": "internal",
    "flags": ["edited_payload"],
    "body_bytes": 52,
    "payload": {**EVENT["payload"], "total": 25},
    "derived_from": EVENT["id"],
    "requested_by": "ada",
    "headers": {"Content-Type": "application/json"},
    "deliveries": [{**EVENT_DELIVERY, "status": "pending", "attempt_count": 0}],
}

ORIGINAL: dict[str, Any] = {
    "id": EVENT["id"],
    "batch": None,
    "endpoint": "orders",
    "provider": "generic_hmac",
    "received_at": EVENT["received_at"],
    "method": "POST",
    "url": "https://hub.example.com/hooks/orders",
    "query_string": "",
    "headers": {"Content-Type": "application/json", "X-Shop-Signature": "4f1c…"},
    "body": "eyJ0b3RhbCI6IDI1MH0=",
}

VARIANT: dict[str, Any] = {
    "id": 7,
    "received_at": "2026-11-22T05:42:11.120113Z",
    "content_type": "application/json",
    "body_bytes": 52,
    "headers": EVENT["headers"],
    "payload": {**EVENT["payload"], "total": 2500},
    "accepted_as": None,
}
ACCEPTED: dict[str, Any] = {
    **EDITED,
    "verdict": "verified",
    "flags": ["accepted_body"],
    "received_at": VARIANT["received_at"],
    "payload": VARIANT["payload"],
    "headers": EVENT["headers"],
}
_VARIANT = OpenApiParameter(
    "variant", OpenApiTypes.INT64, OpenApiParameter.PATH, description="The `id` of the variant."
)

_BODY = OpenApiResponse(
    OpenApiTypes.BINARY, description="The bytes as received, as an attachment that no browser opens."
)

describe_events = extend_schema_view(
    list=operation(
        "list_events",
        "List events",
        description="A payload over 64 KiB, or of a `sensitive` endpoint, is left out: `payload` is null and "
        "`payload_omitted` is true. The event by itself has it, or `reveal/`.",
        answers={200: ("A page of events, the newest first.", EventSerializer(many=True), EVENT)},
    ),
    retrieve=operation(
        "get_event",
        "Show an event",
        description="Credentials in headers, query string and payload are masked. Of a `sensitive` endpoint the "
        "payload is left out: `payload` is null and `payload_omitted` is true; `reveal/` shows it.",
        answers={200: ("The event.", EventSerializer, EVENT)},
    ),
    body=extend_schema(
        operation_id="get_event_body",
        summary="Download the raw body of an event",
        description="Byte for byte as received, whatever `Accept` says; of an item of a split batch the whole "
        "request's. A body that holds credentials is given to those only who may change endpoints, that of a "
        "`sensitive` endpoint to those of them only who may reveal it, and each reading is noted in the log.",
        request=None,
        responses={(200, "application/octet-stream"): _BODY},
        filters=False,
    ),
    original_request=operation(
        "get_original_request",
        "Show a request as it came, credentials included",
        description="Of an item of a split batch the whole. Only for who may change endpoints; each reading is noted "
        "in the log.",
        answers={200: ("The request.", OriginalRequestSerializer, ORIGINAL)},
        filters=False,
    ),
    reveal=operation(
        "reveal_event",
        "Show the payload of a sensitive endpoint's event",
        description="Credentials in it are masked. Needs the permission `reveal_event`; who asked, when, and the "
        "`reason` are noted in the log. For an event that hides nothing it answers the payload and notes nothing.",
        request=(RevealOrder, {"A reason": {"reason": "ticket 4711"}, "Nothing": {}}),
        answers={
            200: ("The payload.", RevealedSerializer, {"event": EVENT["id"], "payload": {"iban": "DE02…"}}),
        },
    ),
    replay=operation(
        "replay_event",
        "Replay an event with an edited payload",
        description="Makes a new event, `derived_from` this one and with its `event_id`, `event_type` and headers, but "
        "those that prove or describe the body that came; this one stays as it is. It runs on the `routes` that are "
        "named, whatever they filter by; else on all that take the new payload. 409 if the endpoint is switched off or "
        "the stored payload cannot be shown whole; 400 for a payload that is the same, holds masks, cannot be stored, "
        "is larger than the endpoint takes, or that no route takes.",
        request=(EditedReplayOrder, {"Another total": {"payload": EDITED["payload"]}}),
        answers={201: ("The new event.", EventSerializer, EDITED)},
    ),
    variants=operation(
        "get_event_variants",
        "Show the other bodies that came under an event's key",
        description="Up to five, kept where an event is flagged `conflicting_body`. Credentials are masked; of a "
        "`sensitive` endpoint `payload` is null.",
        answers={200: ("The bodies.", VariantsSerializer, {"event": EVENT["id"], "variants": [VARIANT]})},
        filters=False,
    ),
    accept_variant=operation(
        "accept_event_variant",
        "Accept another body as an event of its own",
        description="Makes an event with exactly the bytes and headers that came, `derived_from` the first, and a "
        "delivery for each route that takes it. The second time it answers that event. 409 if the endpoint is switched "
        "off or the body cannot be read.",
        request=(EmptyOrder, {"Nothing": {}}),
        parameters=[_VARIANT],
        answers={
            201: ("The new event.", EventSerializer, ACCEPTED),
            200: ("It had been accepted already.", EventSerializer, ACCEPTED),
        },
    ),
    legal_hold=describe_legal_hold("event", of="an event", pk=EVENT["id"]),
    reroute=operation(
        "reroute_event",
        "Make the deliveries of an event that are missing",
        description="For the routes that match the event now and have no delivery of it. Deliveries that there are "
        "already stay as they are. 409 if the endpoint is switched off or the body cannot be read.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={
            201: (
                "The deliveries that were made.",
                ReroutedSerializer,
                {
                    "event": EVENT["id"],
                    "deliveries": [{**EVENT_DELIVERY, "status": "pending", "attempt_count": 0}],
                },
            ),
            200: (
                "None was missing.",
                ReroutedSerializer,
                {"event": EVENT["id"], "deliveries": []},
            ),
        },
    ),
)
