"""What the API's schema says beside its operations: titles, tags, and the names of enumerations."""

from __future__ import annotations

from typing import Any

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Automation Hub",
    "DESCRIPTION": "Receive webhooks, keep every one, run handlers on them, and replay. Times are ISO 8601 in UTC, "
    "ids are UUID texts, `endpoint` is the slug everywhere. Lists are newest first, by cursor: follow `next` until it "
    "is null. Unknown fields and query parameters are refused by name. Every answer carries `X-Request-ID`.",
    "VERSION": "1",
    "LICENSE": {"name": "Apache-2.0"},
    "TAGS": [
        {"name": "endpoints", "description": "Public URLs, each for one source, with their secrets."},
        {"name": "routes", "description": "Which events of an endpoint go to which handler."},
        {"name": "connections", "description": "Outside systems that handlers call, with their credentials."},
        {"name": "events", "description": "What came in, stored once."},
        {"name": "deliveries", "description": "One event for one route: where it stands, its attempts, replay."},
        {"name": "replays", "description": "Orders to run many deliveries again, and how far they are."},
        {"name": "rejections", "description": "What was refused, and why."},
        {"name": "endpoint-groups", "description": "Endpoints that belong together, for permissions by group."},
        {"name": "backfills", "description": "How a provider is asked what it sent, so that nothing stays missing."},
        {"name": "accept-only", "description": "Whether the hub only stores events, and the switch."},
        {"name": "backfill-runs", "description": "Each time that a provider was asked, and what came of it."},
        {"name": "alert-rules", "description": "When people are told that something is wrong."},
        {"name": "alerts", "description": "What the rules found, now and in the past."},
        {"name": "shapes", "description": "What payloads of each event type look like, and what has changed."},
        {"name": "erasures", "description": "Everything that holds a value, erased, with a proof."},
        {"name": "schedules", "description": "Events that the hub makes when their time has come."},
        {"name": "stats", "description": "What happened, in numbers: counts, latencies, the queue."},
        {"name": "audit", "description": "Who did what, when, and from where."},
        {"name": "providers", "description": "What an endpoint can receive from."},
        {"name": "handlers", "description": "What a route can run."},
    ],
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["integrations.api.schema.only_the_api"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "integrations.api.schema.with_errors",
    ],
    "ENUM_SUFFIX": "",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "AttemptOutcome": "deliveries.models.states.Outcome",
        "BackfillRunState": "deliveries.models.backfill.RunState",
        "AttemptTrigger": "deliveries.models.states.Trigger",
        "Batching": "integrations.models.endpoint.Batching",
        "DeliveryStatus": "deliveries.models.states.DeliveryStatus",
        "EndpointState": "integrations.models.endpoint.EndpointState",
        "ErasureState": "deliveries.models.erasure.ErasureState",
        "Kind": "deliveries.alerts.specs.kind_choices",
        "PayloadType": "deliveries.shapes.paths.TYPES",
        "ShapeChangeKind": "deliveries.models.shape.ChangeKind",
        "Verdict": "deliveries.models.event.Verdict",
    },
}
