"""``/endpoints/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_view

from deliveries.api.answers import AwaitedSecretSerializer, SampleSerializer
from deliveries.api.described.legal_holds import describe_legal_hold
from deliveries.api.orders import EmptyOrder, SampleOrder
from deliveries.api.releases import EndpointWithRelease, ResumeOrder
from integrations.api.schema import operation
from integrations.api.serializers import SecretSerializer

SECRET: dict[str, Any] = {
    "id": "01a201c4-e4ff-778d-898c-772016ec3e64",
    "label": "2026-11",
    "created_at": "2026-11-22T05:40:10.625377Z",
    "expires_at": None,
    "last_used_at": None,
    "safe_to_retire": False,
}
ENDPOINT: dict[str, Any] = {
    "id": "01a201c4-e4fd-76da-8e90-a4f9cfe8d34a",
    "slug": "orders",
    "name": "Orders",
    "provider": "generic_hmac",
    "group": None,
    "settings": {"header": "X-Shop-Signature", "event_id": "body:id", "event_type": "body:type"},
    "state": "active",
    "secrets": [SECRET],
    "url": "https://hub.example.com/hooks/orders",
    "allowed_networks": [],
    "rate_per_second": None,
    "source_rate_per_second": None,
    "max_body_bytes": 10485760,
    "accepted_status": 200,
    "content_types": [],
    "dedupe": "id",
    "dedupe_seconds": None,
    "batch": "whole",
    "shared_url": False,
    "priority": 5,
    "sensitive": False,
    "keep_body_days": 30,
    "keep_headers_days": None,
    "keep_attempts_days": None,
    "keep_dead_letters_days": None,
    "keep_events_days": None,
    "keep_rejections_days": None,
    "legal_hold": "",
    "release": None,
    "created_at": "2026-11-22T05:40:10.624512Z",
    "updated_at": "2026-11-22T05:40:10.624512Z",
}
NEW_ENDPOINT: dict[str, Any] = {
    "slug": "orders",
    "name": "Orders",
    "provider": "generic_hmac",
    "settings": {"header": "X-Shop-Signature", "event_id": "body:id", "event_type": "body:type"},
    "secrets": [{"value": "s3cret-of-orders", "label": "2026-11"}],
}
SAMPLE: dict[str, Any] = {
    "status": "accepted",
    "event": "01a201c4-e5a9-7708-ab00-931c67611643",
    "deliveries": 1,
    "http_status": 200,
    "answer": {"status": "accepted", "event": "01a201c4-e5a9-7708-ab00-931c67611643", "deliveries": 1},
}
WAITING: dict[str, Any] = {
    "state": "waiting",
    "expires_at": "2026-11-22T05:55:10.625377Z",
    "received_at": None,
    "source": "",
}
PENDING: dict[str, Any] = {
    "state": "pending",
    "expires_at": None,
    "received_at": "2026-11-22T05:41:37.120003Z",
    "source": "192.0.2.7",
}

_SECRET_ID = OpenApiParameter("secret_id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The secret's id.")

describe_endpoints = extend_schema_view(
    list=operation(
        "list_endpoints",
        "List endpoints",
        answers={200: ("A page of endpoints, the newest first.", EndpointWithRelease(many=True), ENDPOINT)},
    ),
    retrieve=operation(
        "get_endpoint", "Show an endpoint", answers={200: ("The endpoint.", EndpointWithRelease, ENDPOINT)}
    ),
    create=operation(
        "create_endpoint",
        "Make an endpoint",
        description="With its secrets, if they are known already. Their values go in and never come out.",
        request=(EndpointWithRelease, {"An endpoint with a secret": NEW_ENDPOINT}),
        answers={201: ("The endpoint that was made.", EndpointWithRelease, ENDPOINT)},
    ),
    partial_update=operation(
        "update_endpoint",
        "Change an endpoint",
        description="What is left out stays. `settings` are replaced as a whole; a credential in them that is sent "
        "back masked stays as it is. A changed `state` also holds or releases the deliveries that wait.",
        request=(EndpointWithRelease, {"Another name": {"name": "Orders"}}),
        answers={200: ("The endpoint as it is now.", EndpointWithRelease, ENDPOINT)},
    ),
    destroy=operation(
        "retire_endpoint",
        "Retire an endpoint",
        description="Its URL answers 404 from now on, its history stays, its slug is free again.",
        answers={204: ("It is retired.", None, None)},
    ),
    pause=operation(
        "pause_endpoint",
        "Hold the deliveries of an endpoint",
        description="Those that have not started, and those to come. Events are taken in as before.",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={200: ("The endpoint, paused.", EndpointWithRelease, {**ENDPOINT, "state": "paused"})},
    ),
    resume=operation(
        "resume_endpoint",
        "Release the deliveries of an endpoint",
        description="At once, or one after the other at a rate, the oldest first. Those of paused routes stay held.",
        request=(ResumeOrder, {"At once": {}, "Twenty a second": {"rate_per_second": 20}}),
        answers={200: ("The endpoint, active.", EndpointWithRelease, ENDPOINT)},
    ),
    secrets=operation(
        "add_secret",
        "Add a secret to an endpoint",
        description="The secrets that the endpoint has stay live. `value` is what the provider shows, or a reference "
        "(`env:HUB_SECRET_NAME`, `file:NAME`).",
        request=(
            SecretSerializer,
            {"A secret that ends": {"value": "…", "label": "2026-12", "expires_at": "2027-12-31T00:00:00Z"}},
        ),
        answers={
            201: (
                "The secret, without its value.",
                SecretSerializer,
                {**SECRET, "label": "2026-12", "expires_at": "2027-12-31T00:00:00Z"},
            )
        },
    ),
    end_secret=operation(
        "end_secret",
        "End a secret now",
        answers={204: ("It has ended.", None, None)},
        parameters=[_SECRET_ID],
    ),
    test=operation(
        "send_test_event",
        "Send a test event",
        description="Sends a correctly signed sample through the real receiving path. 409 says that the endpoint has "
        "nothing to sign with, or how it refused.",
        request=(
            SampleOrder,
            {
                "The provider's own sample": {},
                "A payload": {"payload": {"id": "o-1001", "type": "order.paid", "total": 250}},
            },
        ),
        answers={201: ("What the endpoint answered.", SampleSerializer, SAMPLE)},
    ),
    await_secret=[
        operation(
            "await_secret",
            "Wait for a secret that the provider delivers",
            description="For 15 minutes; what comes is not live before it is confirmed. 409 where the provider "
            "delivers none.",
            request=(EmptyOrder, {"Nothing": {}}),
            answers={202: ("The wait has begun.", AwaitedSecretSerializer, WAITING)},
            methods=["POST"],
        ),
        operation(
            "get_awaited_secret",
            "Show how far the wait for a secret is",
            answers={200: ("How far it is.", AwaitedSecretSerializer, PENDING)},
            methods=["GET"],
            filters=False,
        ),
        operation(
            "drop_awaited_secret",
            "End the wait for a secret",
            description="What came and was not confirmed is forgotten.",
            answers={204: ("The wait is over.", None, None)},
            methods=["DELETE"],
        ),
    ],
    legal_hold=describe_legal_hold("endpoint", of="an endpoint", pk=ENDPOINT["id"]),
    confirm_secret=operation(
        "confirm_awaited_secret",
        "Make the delivered secret live",
        request=(EmptyOrder, {"Nothing": {}}),
        answers={201: ("The secret, without its value.", SecretSerializer, SECRET)},
    ),
)
