"""How backfills and their runs look in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils import timezone
from rest_framework import serializers

from deliveries.models import Backfill, BackfillRun
from integrations.api.checked import CheckedSerializer
from integrations.api.serializers import VisibleSlugField
from integrations.errors import ReferenceMissing
from integrations.guards import guard_reference
from integrations.history import histories
from integrations.models import Endpoint
from integrations.references import resolve

#: What a token may be long; the longest that providers give are JWTs of a few kB.
_LONGEST_TOKEN = 20_000


class BackfillSerializer(CheckedSerializer[Backfill]):
    """How the provider of one endpoint is asked what it sent. ``token`` goes in and never comes out."""

    endpoint = VisibleSlugField(
        slug_field="slug",
        queryset=Endpoint.objects.live(),
        help_text=f"Of a provider that can be asked: {', '.join(histories)}.",
    )
    # No URLField, whose form in OpenAPI has no room for "": the model checks it.
    base_url = serializers.CharField(
        max_length=500, required=False, allow_blank=True, help_text="Empty for the provider's own."
    )
    fixed_fields = {"endpoint": "The token was entered for this endpoint's provider; make another backfill."}

    class Meta:
        model = Backfill
        fields = [
            "id",
            "endpoint",
            "source",
            "token",
            "base_url",
            "interval_minutes",
            "lookback_minutes",
            "next_at",
            "asked_until",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "next_at", "asked_until", "created_at", "updated_at"]
        shapes = {"source": {"type": "object", "additionalProperties": {}}}
        extra_kwargs = {"token": {"write_only": True, "max_length": _LONGEST_TOKEN}}

    def validate_token(self, value: str) -> str:
        """Refuse a reference that leads nowhere, and any by who is restricted to groups."""
        request = self.context.get("request")
        try:
            if request is not None:
                guard_reference(request.user, value)
            resolve(value)
        except DjangoValidationError as exc:
            raise serializers.ValidationError(exc.messages) from exc
        except ReferenceMissing as exc:
            raise serializers.ValidationError(str(exc)) from exc
        return value

    def check(self, candidate: Backfill, attrs: Mapping[str, Any]) -> None:
        """Refuse another address without the token: the one that is stored was entered for the present address."""
        stored = self.instance
        if isinstance(stored, Backfill) and candidate.base_url != stored.base_url and "token" not in attrs:
            raise serializers.ValidationError(
                {"token": ["Enter it again: the one that is stored was entered for another address."]}
            )

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
