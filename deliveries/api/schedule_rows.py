"""How schedules look in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from deliveries.models import Schedule
from deliveries.models.schedule import RULE_FIELDS
from integrations.api.checked import CheckedSerializer
from integrations.api.serializers import VisibleSlugField
from integrations.models import Endpoint


class ScheduleSerializer(CheckedSerializer[Schedule]):
    """When events are made, on which endpoint, of which type and with which payload."""

    endpoint = VisibleSlugField(slug_field="slug", queryset=Endpoint.objects.live())

    class Meta:
        model = Schedule
        fields = [
            "id",
            "name",
            "endpoint",
            "event_type",
            "payload",
            "cron",
            "time_zone",
            "interval_seconds",
            "at",
            "starts_at",
            "ends_at",
            "missed",
            "enabled",
            "next_at",
            "last_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "next_at", "last_at", "created_at", "updated_at"]
        shapes: Mapping[str, Any] = {"payload": {}}
        extra_kwargs = {
            "interval_seconds": {"min_value": 1, "max_value": 366 * 86_400},
        }

    def create(self, validated_data: Mapping[str, Any]) -> Schedule:
        """Save the schedule with its first tick."""
        row = self.candidate(validated_data)
        row.plan(now=timezone.now())
        row.save(force_insert=True)
        return row

    def update(self, instance: Schedule, validated_data: Mapping[str, Any]) -> Schedule:
        """Save what is given; another rule has another next tick."""
        # The same rule sent again changes nothing: a tick that is due stays due.
        changed = {name for name, value in validated_data.items() if getattr(instance, name) != value}
        row = super().update(instance, validated_data)
        if RULE_FIELDS & changed:
            row.plan(now=timezone.now())
            row.save(update_fields=["next_at"])
        return row


class NextRunsSerializer(serializers.Serializer[Any]):
    """The next ticks of a schedule."""

    next = serializers.ListField(child=serializers.DateTimeField(), help_text="At most five; none: it has ended.")
    in_words = serializers.CharField(help_text="When its time comes, for people.")


class RunAnswerSerializer(serializers.Serializer[Any]):
    """The event that was made."""

    event = serializers.UUIDField()
