"""How history looks in JSON: events, deliveries, attempts and rejections. All of it is read only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from deliveries.flow_steps import ShownStep, steps_of
from deliveries.forensics import diagnose
from deliveries.models import Attempt, Delivery, Event, Rejection, StepState
from deliveries.reverify import obstacle
from deliveries.sent_calls import calls_for
from deliveries.why import Reason, explain, reason_of
from integrations.models import groups_of

#: A list shows payloads of bodies up to this size; an event by itself shows any.
LISTED_BODY_BYTES = 64 * 1024

_TEXT = {"type": "string"}
_HEADERS = {"type": "object", "additionalProperties": _TEXT}
_LOG_LINE = {
    "type": "object",
    "properties": {
        "at": {"type": "string", "format": "date-time"},
        "message": _TEXT,
        "fields": {"type": "object", "additionalProperties": {}},
    },
    "required": ["at", "fields", "message"],
}
#: One call of an outside system (`deliveries.sent_calls`); a handler's own record may have less, or more.
CALL_SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "at": {"type": "string", "format": "date-time"},
        "step": {**_TEXT, "description": "The step of a flow that made it."},
        "connection": _TEXT,
        "method": _TEXT,
        "url": {**_TEXT, "description": "Without what is a credential."},
        "headers": _HEADERS,
        "body": {"description": "The value of a whole body that is JSON, else a text."},
        "body_encoding": {"enum": ["text", "base64"]},
        "body_is_whole": {"type": "boolean"},
        "body_bytes": {"type": "integer"},
        "status": {"type": ["integer", "null"], "description": "Of the answer; absent where there was none."},
        "error": {**_TEXT, "description": "Why there was no answer."},
    },
    "additionalProperties": {},
}
_FINDING = {"type": "object", "properties": {"code": _TEXT, "text": _TEXT}, "required": ["code", "text"]}


_MOMENT = {"type": ["string", "null"], "format": "date-time"}
_STEP_FIELDS = {
    "name": _TEXT,
    "handler": _TEXT,
    "state": {"enum": ["pending", *StepState.values, "interrupted"]},
    "condition": _TEXT,
    "tries": {"type": "integer"},
    "input": {},
    "output": {},
    "omitted": {"type": "boolean"},
    "error": _TEXT,
}
_TIME_FIELDS = {"started_at": _MOMENT, "finished_at": _MOMENT, "duration_ms": {"type": ["number", "null"]}}
_STEP = {
    "type": "object",
    "properties": {**_STEP_FIELDS, **_TIME_FIELDS},
    "required": [*_STEP_FIELDS, *_TIME_FIELDS],
}


def _time_of(step: ShownStep) -> dict[str, Any]:
    moment = serializers.DateTimeField()
    return {
        "started_at": step.started_at and moment.to_representation(step.started_at),
        "finished_at": step.finished_at and moment.to_representation(step.finished_at),
        "duration_ms": None if step.duration is None else round(step.duration.total_seconds() * 1000, 3),
    }


class AttemptSummarySerializer(serializers.ModelSerializer[Attempt]):
    """One try of a delivery, as lists show it."""

    duration_ms = serializers.SerializerMethodField()

    class Meta:
        model = Attempt
        fields = [
            "number",
            "trigger",
            "requested_by",
            "started_at",
            "finished_at",
            "duration_ms",
            "outcome",
            "error_type",
            "error_message",
        ]
        read_only_fields = fields

    def get_duration_ms(self, attempt: Attempt) -> float | None:
        """Return how long it took, in milliseconds; None while it runs."""
        return round(attempt.duration.total_seconds() * 1000, 3) if attempt.duration is not None else None


class AttemptSerializer(AttemptSummarySerializer):
    """One try of a delivery, whole."""

    calls = serializers.SerializerMethodField()

    class Meta(AttemptSummarySerializer.Meta):
        fields = [*AttemptSummarySerializer.Meta.fields, "traceback", "log", "response", "calls"]
        read_only_fields = fields
        shapes = {
            "log": {"type": "array", "items": _LOG_LINE},
            "response": {"type": ["object", "null"], "additionalProperties": {}},
            "calls": {"type": ["array", "null"], "items": CALL_SHAPE, "description": "What was sent; null: hidden."},
        }

    def get_calls(self, attempt: Attempt) -> list[dict[str, Any]] | None:
        """Return the calls of outside systems; None where the caller may not see what was sent."""
        return calls_for(attempt, attempt.delivery.event, user=self.context["request"].user)


class ExplainedDeliveries(serializers.ListSerializer[Any]):
    """Deliveries with the reasons of all, found at once."""

    reasons: dict[UUID, Reason]

    def to_representation(self, data: Any) -> list[Any]:
        """Return the JSON of each."""
        rows = list(data)
        self.reasons = explain(rows)
        return super().to_representation(rows)


class DeliverySummarySerializer(serializers.ModelSerializer[Delivery]):
    """One event for one route, as lists show it; its attempts without traceback, log and response."""

    event = serializers.UUIDField(source="event_id")
    endpoint = serializers.CharField(source="endpoint.slug")
    route = serializers.UUIDField(source="route_id")
    route_name = serializers.CharField(source="route.name")
    handler = serializers.CharField(source="route.handler")
    event_type = serializers.CharField(source="event.event_type")
    reason = serializers.SerializerMethodField()
    attempts = AttemptSummarySerializer(many=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "event",
            "event_type",
            "endpoint",
            "route",
            "route_name",
            "handler",
            "status",
            "ordering_key",
            "attempt_count",
            "created_at",
            "due_at",
            "finished_at",
            "reason",
            "attempts",
        ]
        read_only_fields = fields
        list_serializer_class = ExplainedDeliveries

    def get_reason(self, delivery: Delivery) -> str:
        """Return why it is not running now, or how it stands, in a sentence."""
        listed = self.parent if isinstance(self.parent, ExplainedDeliveries) else None
        return str(listed.reasons[delivery.pk] if listed else reason_of(delivery))


class DeliverySerializer(DeliverySummarySerializer):
    """One event for one route, whole; of a flow with its ``steps``."""

    attempts = AttemptSerializer(many=True)
    steps = serializers.SerializerMethodField()

    class Meta(DeliverySummarySerializer.Meta):
        fields = [*DeliverySummarySerializer.Meta.fields, "steps"]
        read_only_fields = fields
        shapes = {"steps": {"type": "array", "items": _STEP}}

    def get_steps(self, delivery: Delivery) -> list[dict[str, Any]]:
        """Return the steps of a flow, in order; [] for any other handler."""
        shown = steps_of(delivery, user=self.context["request"].user)
        return [{name: getattr(step, name) for name in _STEP_FIELDS} | _time_of(step) for step in shown]


class EventDeliverySerializer(serializers.ModelSerializer[Delivery]):
    """What became of an event at one route."""

    route = serializers.UUIDField(source="route_id")
    route_name = serializers.CharField(source="route.name")
    handler = serializers.CharField(source="route.handler")

    class Meta:
        model = Delivery
        fields = ["id", "route", "route_name", "handler", "status", "attempt_count"]
        read_only_fields = fields


class EventSerializer(serializers.ModelSerializer[Event]):
    """One thing that a provider told us, whole; credentials are masked."""

    endpoint = serializers.CharField(source="endpoint.slug")
    payload = serializers.SerializerMethodField()
    payload_omitted = serializers.SerializerMethodField()
    derived_from = serializers.SerializerMethodField()
    trace_id = serializers.CharField()
    deliveries = EventDeliverySerializer(many=True)

    class Meta:
        model = Event
        fields = [
            "id",
            "endpoint",
            "provider",
            "verdict",
            "flags",
            "event_id",
            "event_type",
            "received_at",
            "request_id",
            "trace_id",
            "source",
            "content_type",
            "body_bytes",
            "duplicates",
            "payload",
            "payload_omitted",
            "batch",
            "batch_index",
            "derived_from",
            "requested_by",
            "headers",
            "query_string",
            "body_removed_at",
            "headers_removed_at",
            "erased_at",
            "legal_hold",
            "deliveries",
        ]
        read_only_fields = fields
        shapes = {"flags": {"type": "array", "items": _TEXT}, "headers": _HEADERS, "payload": {}}

    def get_payload(self, event: Event) -> Any:
        """Return the decoded body, credentials masked; None where it is opaque, or hidden."""
        return event.shown_payload

    def get_derived_from(self, event: Event) -> UUID | None:
        """Return the event that it came of; None too where the user may not see that one."""
        groups = groups_of(self.context["request"].user)
        is_shown = groups is None or vars(event)["origin_group"] in groups  # annotated by the view
        return event.derived_from_id if is_shown else None

    def get_payload_omitted(self, event: Event) -> bool:
        """Return whether ``payload`` is null only because it is not shown without being asked for."""
        return event.hides_body


class ListedEventSerializer(EventSerializer):
    """An event in a list: a large or sensitive payload is left out."""

    def get_payload(self, event: Event) -> Any:
        """Return the payload, or None where it is left out."""
        if self.get_payload_omitted(event):
            return None
        event.raw_body = vars(event)["listed_body"]  # annotated by the view
        return event.shown_payload

    def get_payload_omitted(self, event: Event) -> bool:
        """Return whether the payload is left out: `EventViewSet` has not loaded those bodies."""
        return event.hides_body or event.needs_batch_to_mask or event.body_bytes > LISTED_BODY_BYTES


class RejectionSerializer(serializers.ModelSerializer[Rejection]):
    """A request that was refused, and why; credentials are masked, the body is not shown."""

    endpoint = serializers.CharField(source="endpoint.slug")

    class Meta:
        model = Rejection
        fields = [
            "id",
            "endpoint",
            "received_at",
            "reason",
            "explanation",
            "detail",
            "source",
            "request_id",
            "content_type",
            "headers",
            "query_string",
            "body_bytes",
        ]
        read_only_fields = fields
        shapes: dict[str, Any] = {"detail": {"type": "object", "additionalProperties": {}}, "headers": _HEADERS}


@extend_schema_serializer(component_name="DiagnosedRejection")
class RejectionDetailSerializer(RejectionSerializer):
    """A refused request by itself, with what would have made it pass; the context names the ``viewer``."""

    diagnosis = serializers.SerializerMethodField()
    not_reverifiable_because = serializers.SerializerMethodField()

    class Meta(RejectionSerializer.Meta):
        fields = [*RejectionSerializer.Meta.fields, "diagnosis", "not_reverifiable_because"]
        read_only_fields = fields
        shapes = {
            **RejectionSerializer.Meta.shapes,
            "diagnosis": {
                "type": "object",
                "properties": {
                    "findings": {"type": "array", "items": _FINDING},
                    "secrets_tried": {"type": "array", "items": _TEXT},
                    "trials": {"type": "integer"},
                    "complete": {"type": "boolean"},
                },
            },
        }

    def get_diagnosis(self, rejection: Rejection) -> dict[str, Any]:
        """Return what was found, and which secrets were tried, by their labels."""
        found = diagnose(rejection, viewer=self.context["viewer"])
        return {
            "findings": [{"code": finding.code, "text": finding.text} for finding in found.findings],
            "secrets_tried": found.tried,
            "trials": found.trials,
            "complete": found.is_complete,
        }

    def get_not_reverifiable_because(self, rejection: Rejection) -> str | None:
        """Return why the request cannot be checked again, or None if it can."""
        return obstacle(rejection) or None
