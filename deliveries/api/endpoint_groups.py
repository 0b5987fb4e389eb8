"""``/endpoint-groups/``: which endpoints belong together, for permissions by group."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from deliveries.api.configuration import ConfiguredViewSet
from deliveries.api.described import describe_endpoint_groups
from deliveries.api.errors import Conflict
from integrations.api.serializers import EndpointGroupSerializer
from integrations.models import EndpointGroup, groups_of


@describe_endpoint_groups
class EndpointGroupViewSet(ConfiguredViewSet[EndpointGroup]):
    """Groups by name. Who is restricted to groups sees theirs, and changes none: others are in them too."""

    queryset = EndpointGroup.objects.all()
    serializer_class = EndpointGroupSerializer
    lookup_field = "name"
    lookup_value_regex = "[-a-zA-Z0-9_]+"

    def check_permissions(self, request: Request) -> None:
        """Refuse changes by who is restricted to groups."""
        super().check_permissions(request)
        if request.method not in {"GET", "HEAD"} and groups_of(request.user) is not None:
            raise PermissionDenied

    def perform_destroy(self, instance: Any) -> None:
        """Remove the group; raises `Conflict` while an endpoint in service is in it."""
        if instance.is_in_use:
            raise Conflict("Endpoints are in the group; move them first.")
        super().perform_destroy(instance)

    def take_away(self, row: EndpointGroup) -> str:
        """Delete the group, which has no history; retired endpoints that were in it are in none from now on."""
        row.delete()
        return "removed."
