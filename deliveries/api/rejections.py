"""``/rejections/``: what was refused, and why; and the order to check one again."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.answers import AcceptanceSerializer
from deliveries.api.audit import caller
from deliveries.api.described import describe_rejections
from deliveries.api.errors import Conflict
from deliveries.api.filters import RejectionFilter
from deliveries.api.orders import EmptyOrder
from deliveries.api.roles import MAY_OPERATE
from deliveries.api.serializers import RejectionDetailSerializer, RejectionSerializer
from deliveries.models import Rejection
from deliveries.reverify import NotReverified, reverify
from integrations.api.views import UUID_REGEX, HubViewSet


@describe_rejections
class RejectionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[Rejection]):
    """List, detail with its diagnosis, and reverify."""

    queryset = Rejection.objects.select_related("endpoint").defer("raw_body", "sealed")
    filterset_class = RejectionFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = {"reverify": MAY_OPERATE}

    def get_serializer_class(self) -> type[RejectionSerializer]:
        """Return how the rejection is shown."""
        return RejectionSerializer if self.action == "list" else RejectionDetailSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        """Return who asks, which decides what the diagnosis may name."""
        return {**super().get_serializer_context(), "viewer": self.request.user}

    @action(detail=True, methods=["post"])
    def reverify(self, request: Request, pk: str) -> Response:
        """Check the request again with today's secrets: 201 with its event, 200 if that is known, 409 if it fails."""
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        try:
            accepted = reverify(self.get_object(), by=caller(request), via="API")
        except NotReverified as exc:
            raise Conflict(str(exc)) from exc
        return Response(AcceptanceSerializer(accepted.as_json()).data, status=200 if accepted.is_duplicate else 201)
