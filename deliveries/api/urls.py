"""Every address of the API, with or without the last slash."""

from __future__ import annotations

from typing import Any

from django.urls import re_path
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from deliveries.api.accept_only import AcceptOnlyView
from deliveries.api.alerts import AlertRuleViewSet, AlertViewSet
from deliveries.api.audit_log import AuditViewSet
from deliveries.api.backfills import BackfillRunViewSet, BackfillViewSet
from deliveries.api.connections import ConnectionViewSet
from deliveries.api.deliveries import DeliveryViewSet
from deliveries.api.endpoint_groups import EndpointGroupViewSet
from deliveries.api.endpoints import EndpointViewSet
from deliveries.api.erasures import ErasureViewSet
from deliveries.api.events import EventViewSet
from deliveries.api.rejections import RejectionViewSet
from deliveries.api.replays import ReplayViewSet
from deliveries.api.routes import RouteViewSet
from deliveries.api.schedules import ScheduleViewSet
from deliveries.api.shapes import ShapeViewSet
from deliveries.api.stats import StatsView
from integrations.api.catalog import HandlerList, ProviderList


class UnknownPath(APIView):
    """404 in the API's own shape, to everybody."""

    schema = None
    authentication_classes = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse before anything else is looked at."""
        raise NotFound("There is no such address.")


router = SimpleRouter()
# Both forms are answered: a redirect from one to the other would lose the body of a POST.
router.trailing_slash = "/?"
router.register("endpoints", EndpointViewSet, "endpoint")
router.register("endpoint-groups", EndpointGroupViewSet, "endpoint-group")
router.register("connections", ConnectionViewSet, "connection")
router.register("routes", RouteViewSet, "route")
router.register("events", EventViewSet, "event")
router.register("deliveries", DeliveryViewSet, "delivery")
router.register("audit", AuditViewSet, "audit")
router.register("replays", ReplayViewSet, "replay")
router.register("alert-rules", AlertRuleViewSet, "alert-rule")
router.register("alerts", AlertViewSet, "alert")
router.register("shapes", ShapeViewSet, "shape")
router.register("schedules", ScheduleViewSet, "schedule")
router.register("erasures", ErasureViewSet, "erasure")
router.register("rejections", RejectionViewSet, "rejection")
router.register("backfills", BackfillViewSet, "backfill")
router.register("backfill-runs", BackfillRunViewSet, "backfill-run")

urlpatterns = [
    re_path(r"^providers/?$", ProviderList.as_view(), name="provider-list"),
    re_path(r"^handlers/?$", HandlerList.as_view(), name="handler-list"),
    re_path(r"^stats/?$", StatsView.as_view(), name="stats"),
    re_path(r"^accept-only/?$", AcceptOnlyView.as_view(), name="accept-only"),
    *router.urls,
]
