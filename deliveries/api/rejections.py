"""``/rejections/``: what was refused, and why."""

from __future__ import annotations

from rest_framework import mixins

from deliveries.api.filters import RejectionFilter
from deliveries.api.serializers import RejectionSerializer
from deliveries.models import Rejection
from integrations.api.views import UUID_REGEX, HubViewSet


class RejectionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[Rejection]):
    """List and detail."""

    queryset = Rejection.objects.select_related("endpoint").defer("raw_body", "sealed")
    serializer_class = RejectionSerializer
    filterset_class = RejectionFilter
    lookup_value_regex = UUID_REGEX
