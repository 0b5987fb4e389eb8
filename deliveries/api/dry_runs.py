"""``/routes/{id}/dry-run/``: what a route would do with past events."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import audit
from deliveries.api.audit import caller
from deliveries.api.serializers import CALL_SHAPE
from deliveries.dry_run import MOST, as_json, dry_run, past_events
from integrations.api.checked import OrderSerializer
from integrations.api.scopes import may
from integrations.models import Route

MAY_SEE_EVENTS = "deliveries.view_event"


class DryRunOrder(OrderSerializer):
    """The body of a dry run."""

    last = serializers.IntegerField(default=10, min_value=1, max_value=MOST, help_text="So many of the newest events.")
    received_after = serializers.DateTimeField(required=False, help_text="Included.")
    received_before = serializers.DateTimeField(required=False, help_text="Not included.")


class ThenSerializer(serializers.Serializer[Any]):
    """A delivery that there was of an event."""

    delivery = serializers.UUIDField(read_only=True)
    status = serializers.CharField(read_only=True)
    call = serializers.CharField(read_only=True, help_text="Which call was made by a connection; empty: none is kept.")
    answered = serializers.IntegerField(read_only=True, allow_null=True, help_text="The status of the answer.")
    sent = serializers.JSONField(read_only=True, help_text="The calls that were made, as far as they are kept.")

    class Meta:
        shapes: dict[str, dict[str, object]] = {"sent": {"type": "array", "items": CALL_SHAPE}}


class TriedSerializer(serializers.Serializer[Any]):
    """What the route would do with one event."""

    event = serializers.UUIDField(read_only=True)
    event_type = serializers.CharField(read_only=True)
    received_at = serializers.DateTimeField(read_only=True)
    is_taken = serializers.BooleanField(read_only=True, allow_null=True, help_text="null: it was not tried.")
    would = serializers.JSONField(read_only=True, allow_null=True, help_text="What the handler would do.")
    would_send = serializers.JSONField(
        read_only=True, allow_null=True, help_text="The calls that the handler would make; null: it was not run."
    )
    note = serializers.CharField(read_only=True, help_text="Why that is not told, or what is wrong.")
    then = ThenSerializer(many=True, read_only=True)
    differs = serializers.BooleanField(read_only=True)

    class Meta:
        shapes: dict[str, dict[str, object]] = {
            "would": {},
            "would_send": {"type": ["array", "null"], "items": CALL_SHAPE},
        }


class DryRunSerializer(serializers.Serializer[Any]):
    """A dry run."""

    results = TriedSerializer(many=True, read_only=True)


def answer(request: Request, route: Route) -> Response:
    """Return what ``route`` would do with the events that the body names; raises `PermissionDenied`."""
    if not may(request, MAY_SEE_EVENTS):
        raise PermissionDenied("Only who may see events may try a route on them.")
    order = DryRunOrder(data=request.data)
    order.is_valid(raise_exception=True)
    chosen = order.validated_data
    events = past_events(
        route, last=chosen["last"], after=chosen.get("received_after"), before=chosen.get("received_before")
    )
    rows = dry_run(route, events)
    audit.record(audit.Action.ORDERED, route, by=caller(request), message=f"Dry run on {len(rows)} past events.")
    return Response(DryRunSerializer({"results": [as_json(row) for row in rows]}).data)
