"""Rates, and how a release at a rate looks in JSON: on the endpoint or the route whose deliveries are let go."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from deliveries.bulk_replay import HIGHEST_RATE, LOWEST_RATE
from deliveries.models import Release
from integrations.api.checked import FiniteFloatField, OrderSerializer
from integrations.api.serializers import EndpointSerializer, RouteSerializer


class RateField(FiniteFloatField):
    """Deliveries per second; null is as fast as they go."""

    def __init__(self, **kwargs: Any) -> None:
        bounds = {"min_value": LOWEST_RATE, "max_value": HIGHEST_RATE}
        super().__init__(**{**bounds, "default": None, "allow_null": True, **kwargs})


class ResumeOrder(OrderSerializer):
    """The body of an order to let go what is held."""

    rate_per_second = RateField()


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    """What is being let go at a rate."""

    class Meta:
        model = Release
        fields = ["rate_per_second", "total", "released", "created_by", "created_at"]
        read_only_fields = fields


class ReleasingSerializer(serializers.Serializer[Any]):
    """A mixin: ``release`` is what is being let go at a rate, or null. For lists `running_releases` are prefetched."""

    release = serializers.SerializerMethodField()

    @extend_schema_field(ReleaseSerializer(allow_null=True))
    def get_release(self, row: Any) -> dict[str, Any] | None:
        """Return the release under way."""
        # By itself it may have been read before the order that it is the answer to.
        found = list(_of(row)) if self.parent is None else row.running_releases
        return ReleaseSerializer(found[0]).data if found else None


@extend_schema_serializer(component_name="Endpoint")
class EndpointWithRelease(ReleasingSerializer, EndpointSerializer):
    """One public URL for one source, with its secrets."""

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "release"]


@extend_schema_serializer(component_name="Route")
class RouteWithRelease(ReleasingSerializer, RouteSerializer):
    """Which events of an endpoint go to which handler."""

    class Meta(RouteSerializer.Meta):
        fields = [*RouteSerializer.Meta.fields, "release"]


def running_releases(**of: Any) -> Prefetch[Any]:
    """Return the prefetch that `ReleasingSerializer` reads."""
    return Prefetch("releases", Release.objects.running().filter(**of), to_attr="running_releases")


def _of(row: Any) -> Any:
    rows = row.releases.running()
    return rows.filter(route=None) if row._meta.model_name == "endpoint" else rows
