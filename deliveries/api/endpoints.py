"""``/endpoints/``: public URLs with their secrets."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from deliveries import audit, hold
from deliveries.api.audit import ADDITION, DELETION, ORDER, caller, log
from deliveries.api.awaited_secrets import AwaitedSecretActions
from deliveries.api.configuration import ConfigurationViewSet
from deliveries.api.described import describe_endpoints
from deliveries.api.errors import Conflict
from deliveries.api.legal_holds import LegalHoldActions
from deliveries.api.orders import SampleOrder
from deliveries.api.releases import EndpointWithRelease, running_releases
from deliveries.api.roles import MAY_HOLD, MAY_OPERATE
from deliveries.receiving.samples import CannotSign, send_sample
from integrations.api.scopes import may
from integrations.api.serializers import SecretSerializer
from integrations.api.views import UUID_REGEX
from integrations.models import Endpoint, EndpointState

MAY_ADD_SECRETS = "integrations.add_secret"


class EndpointFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /endpoints/``."""

    provider = filters.CharFilter("provider", max_length=50, help_text="A key of `/providers/`.")
    group = filters.CharFilter("group__name", max_length=100, help_text="A group's name.")
    state = filters.ChoiceFilter(choices=EndpointState.choices, help_text="How it takes events.")

    class Meta:
        model = Endpoint
        fields: list[str] = []


@describe_endpoints
class EndpointViewSet(AwaitedSecretActions, LegalHoldActions, ConfigurationViewSet[Endpoint]):
    """Endpoints, their secrets, a test event."""

    queryset = Endpoint.objects.live().select_related("group").prefetch_related("secrets", running_releases(route=None))
    serializer_class = EndpointWithRelease
    filterset_class = EndpointFilter
    lookup_field = "slug"
    lookup_value_regex = "[-a-zA-Z0-9_]+"
    hold_field = "state"
    action_permissions: ClassVar[dict[str, str]] = {
        **ConfigurationViewSet.action_permissions,
        "test": MAY_OPERATE,
        "secrets": MAY_ADD_SECRETS,
        "await_secret": MAY_ADD_SECRETS,
        "confirm_secret": MAY_ADD_SECRETS,
        "end_secret": "integrations.delete_secret",
        "legal_hold": MAY_HOLD,
    }

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        """Save the endpoint; with secrets in it, only for who may add secrets."""
        if serializer.validated_data.get("secrets") and not may(self.request, MAY_ADD_SECRETS):
            raise PermissionDenied
        super().perform_create(serializer)

    def move_deliveries(self, row: Endpoint) -> None:
        """Hold the deliveries if the endpoint is now paused, else let them go."""
        hold.set_endpoint_state(row, EndpointState(row.state), by=caller(self.request), via="API")

    def set_held(self, row: Endpoint, *, held: bool, rate_per_second: float | None = None) -> None:
        """Pause or resume the endpoint; raises `Conflict` for a disabled one: to switch it on takes another right."""
        if row.state == EndpointState.DISABLED:
            raise Conflict("The endpoint is disabled; set its state to switch it on.")
        if held:
            hold.pause_endpoint(row, by=caller(self.request), via="API")
        else:
            hold.resume_endpoint(row, by=caller(self.request), via="API", rate_per_second=rate_per_second)

    @action(detail=True, methods=["post"])
    def secrets(self, request: Request, slug: str) -> Response:
        """Add a secret; those that the endpoint has stay live."""
        endpoint = self.get_object()
        serializer = SecretSerializer(data=request.data, context={"endpoint": endpoint, "request": request})
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            log(request, serializer.save(endpoint=endpoint), ADDITION, f"added to {endpoint.slug}.")
        return Response(serializer.data, status=201)

    @action(detail=True, methods=["delete"], url_path=f"secrets/(?P<secret_id>{UUID_REGEX})")
    def end_secret(self, request: Request, slug: str, secret_id: str) -> Response:
        """End a live secret now."""
        now = timezone.now()
        secret = get_object_or_404(self.get_object().secrets.live(now), pk=secret_id)
        with transaction.atomic():
            before = audit.snapshot(secret)
            secret.expires_at = now
            secret.save(update_fields=["expires_at"])
            log(request, secret, DELETION, f"ended, of {slug}.", before=before)
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def test(self, request: Request, slug: str) -> Response:
        """Send a correctly signed sample through the real receiving path."""
        order = SampleOrder(data=request.data)
        order.is_valid(raise_exception=True)
        endpoint = self.get_object()
        try:
            status, answer = send_sample(endpoint, **order.validated_data, by=caller(request))
        except CannotSign as exc:
            raise Conflict(str(exc)) from exc
        if not 200 <= status < 300:
            raise Conflict(f"The endpoint answered {status} to the test event: {answer}")
        log(request, endpoint, ORDER, "sent a test event.")
        known = answer if isinstance(answer, dict) else {}
        named = {name: known.get(name) for name in ("status", "event", "deliveries")}
        return Response({**named, "http_status": status, "answer": answer}, status=201)
