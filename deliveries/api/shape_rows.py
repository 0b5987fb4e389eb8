"""How shapes look in JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deliveries.models import Shape
from deliveries.models.shape import ChangeKind
from deliveries.shapes.paths import TYPES
from deliveries.shapes.tree import lines


class FieldSerializer(serializers.Serializer[Any]):
    """One field of the payloads."""

    path = serializers.CharField(help_text="As filters have it: `order.items[].sku`; `*`: any name; empty: the whole.")
    types = serializers.ListField(
        child=serializers.ChoiceField(choices=TYPES), help_text="Those that were seen, the most frequent first."
    )
    share = serializers.FloatField(help_text="The part of the events of late that have it, from 0 to 1.")
    first_seen_at = serializers.DateTimeField(source="first_at")
    first_event = serializers.UUIDField(help_text="The event that had it first, which may be gone.")
    last_seen_at = serializers.DateTimeField(source="last_at")


class ChangeSerializer(serializers.Serializer[Any]):
    """One change."""

    kind = serializers.ChoiceField(choices=ChangeKind.choices)
    path = serializers.CharField(help_text="The field; empty for a new event type.")
    types = serializers.ListField(child=serializers.ChoiceField(choices=TYPES), help_text="Of the event's values.")
    before = serializers.ListField(child=serializers.ChoiceField(choices=TYPES), help_text="Known before.")
    below = serializers.IntegerField(help_text="How many fields in it came or went with it.")
    at = serializers.DateTimeField()
    event = serializers.UUIDField(help_text="Where it was seen first; the event may be gone.")
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When it was as before again.")
    accepted_at = serializers.DateTimeField(allow_null=True)
    accepted_by = serializers.CharField(help_text="Empty: nobody.")


class ShapeSerializer(serializers.ModelSerializer[Shape]):
    """What the payloads of an event type look like, without the fields."""

    endpoint = serializers.CharField(source="endpoint.slug")
    changes = ChangeSerializer(many=True, help_text="The latest 50, the oldest first.")

    class Meta:
        model = Shape
        fields = [
            "id",
            "endpoint",
            "event_type",
            "looked_at",
            "is_cut",
            "first_seen_at",
            "last_seen_at",
            "learned_at",
            "changed_at",
            "changes",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "learned_at": {"help_text": "Null: it is being learned, and nothing counts as a change."},
            "changed_at": {"help_text": "When the latest change was found that is open; null: there is none."},
        }


class WholeShapeSerializer(ShapeSerializer):
    """What the payloads of an event type look like."""

    # Called so because ``fields`` of a serializer is DRF's own.
    known_fields = serializers.SerializerMethodField()

    class Meta(ShapeSerializer.Meta):
        fields = [*ShapeSerializer.Meta.fields, "known_fields"]

    @extend_schema_field(FieldSerializer(many=True))
    def get_known_fields(self, row: Shape) -> Any:
        """Return the fields, each behind what it is in."""
        return FieldSerializer(lines(row), many=True).data
