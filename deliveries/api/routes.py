"""``/routes/``: which events go to which handler."""

from __future__ import annotations

from typing import ClassVar

from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import hold
from deliveries.api import dry_runs
from deliveries.api.audit import caller
from deliveries.api.configuration import ConfigurationViewSet
from deliveries.api.described import describe_routes
from deliveries.api.releases import RouteWithRelease, running_releases
from integrations.api.views import UUID_REGEX
from integrations.models import Route


class RouteFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /routes/``."""

    endpoint = filters.CharFilter("endpoint__slug", max_length=100, help_text="The endpoint's slug.")
    handler = filters.CharFilter("handler", max_length=100, help_text="A key of `/handlers/`.")

    class Meta:
        model = Route
        fields: list[str] = []


@describe_routes
class RouteViewSet(ConfigurationViewSet[Route]):
    """Routes of the endpoints that are in service."""

    queryset = (
        Route.objects.live()
        .filter(endpoint__retired_at=None)
        .select_related("endpoint")
        .prefetch_related(running_releases())
    )
    serializer_class = RouteWithRelease
    filterset_class = RouteFilter
    lookup_value_regex = UUID_REGEX
    hold_field = "paused"
    action_permissions: ClassVar[dict[str, str]] = {
        **ConfigurationViewSet.action_permissions,
        "dry_run": "integrations.change_route",
    }

    def move_deliveries(self, row: Route) -> None:
        """Hold or release the deliveries."""
        self.set_held(row, held=row.paused)

    def set_held(self, row: Route, *, held: bool, rate_per_second: float | None = None) -> None:
        """Pause or resume the route."""
        if held:
            hold.pause_route(row, by=caller(self.request), via="API")
        else:
            hold.resume_route(row, by=caller(self.request), via="API", rate_per_second=rate_per_second)

    @action(detail=True, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request, pk: str) -> Response:
        """Return what the route would do with past events; nothing is sent."""
        return dry_runs.answer(request, self.get_object())
