"""How backfills and their runs look in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from deliveries.models import Backfill, BackfillRun
from integrations.api.checked import CheckedSerializer
from integrations.api.serializers import VisibleSlugField
from integrations.history import histories
from integrations.models import Connection, Endpoint


class BackfillSerializer(CheckedSerializer[Backfill]):
    """How the provider of one endpoint is asked what it sent."""

    endpoint = VisibleSlugField(
        slug_field="slug",
        queryset=Endpoint.objects.live(),
        help_text=f"Of a provider that can be asked: {', '.join(histories)}.",
    )
    connection = VisibleSlugField(
        slug_field="name",
        queryset=Connection.objects.live(),
        help_text="To the provider's API, by its name; of no group, or of the endpoint's.",
    )
    fixed_fields = {"endpoint": "What is asked about belongs to its provider; make another backfill."}

    class Meta:
        model = Backfill
        fields = [
            "id",
            "endpoint",
            "connection",
            "source",
            "interval_minutes",
            "lookback_minutes",
            "next_at",
            "asked_until",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "next_at", "asked_until", "created_at", "updated_at"]
        shapes = {"source": {"type": "object", "additionalProperties": {}}}

    def create(self, validated_data: Mapping[str, Any]) -> Backfill:
        """Save it; its schedule begins now."""
        row = self.candidate(validated_data)
        row.begin(timezone.now())
        row.save(force_insert=True)
        return row

    def update(self, instance: Backfill, validated_data: Mapping[str, Any]) -> Backfill:
        """Save what was given; another schedule begins now."""
        every = validated_data.get("interval_minutes", instance.interval_minutes)
        if every == instance.interval_minutes:
            return super().update(instance, validated_data)
        instance.interval_minutes = every
        instance.begin(timezone.now())
        return super().update(instance, {**validated_data, "next_at": instance.next_at})


class BackfillRunSerializer(serializers.ModelSerializer[BackfillRun]):
    """One time that a provider was asked. ``missing`` were not there, of which ``stored`` are now."""

    endpoint = serializers.CharField(source="backfill.endpoint.slug")
    backfill = serializers.UUIDField(source="backfill_id")

    class Meta:
        model = BackfillRun
        fields = [
            "id",
            "backfill",
            "endpoint",
            "state",
            "since",
            "until",
            "asked",
            "known",
            "missing",
            "stored",
            "failed",
            "problem",
            "tries",
            "created_by",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields
