"""Groups of endpoints in a configuration file. Who is restricted to which is no configuration: it is about people."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import serializers

from deliveries.configuration.kind import Kind
from integrations.api.serializers import EndpointGroupSerializer
from integrations.models import EndpointGroup


class EndpointGroups(Kind):
    """Known by their name."""

    name = "endpoint_groups"
    noun = "endpoint group"
    serializer = EndpointGroupSerializer
    identity = ("name",)

    def rows(self) -> QuerySet[EndpointGroup]:
        """Return all, by name."""
        return EndpointGroup.objects.order_by("name")

    def retire(self, row: EndpointGroup) -> None:
        """Delete the group, which has no history; raises `serializers.ValidationError` while endpoints are in it."""
        if row.is_in_use:
            raise serializers.ValidationError("endpoints are in it; move them first")
        row.delete()
