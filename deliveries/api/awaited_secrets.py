"""``/endpoints/{slug}/await-secret/``: the wait for a secret that the provider delivers itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.answers import AwaitedSecretSerializer
from deliveries.api.audit import ADDITION, ORDER, caller, log
from deliveries.api.errors import Conflict
from deliveries.waiting import WaitRefused, awaited, confirm, drop, start
from integrations.api.serializers import SecretSerializer
from integrations.models import Endpoint

if TYPE_CHECKING:
    from rest_framework.viewsets import GenericViewSet

    _View = GenericViewSet[Endpoint]
else:
    _View = object


class AwaitedSecretActions(_View):
    """The actions of an endpoint's view that start, show, end and confirm the wait."""

    @action(detail=True, methods=["post", "get", "delete"], url_path="await-secret")
    def await_secret(self, request: Request, slug: str) -> Response:
        """Start a wait of 15 minutes, show how far it is, or end it; what came and was not confirmed is dropped."""
        endpoint = self.get_object()
        if request.method == "DELETE":
            with transaction.atomic():
                drop(endpoint)
                log(request, endpoint, ORDER, "ended the wait for a delivered secret.")
            return Response(status=204)
        if request.method == "GET":
            return Response(_shown(endpoint))
        try:
            with transaction.atomic():
                start(endpoint, by=caller(request).get_username())
                log(request, endpoint, ORDER, "waits for a delivered secret.")
        except WaitRefused as exc:
            raise Conflict(str(exc)) from exc
        return Response(_shown(endpoint), status=202)

    @action(detail=True, methods=["post"], url_path="await-secret/confirm")
    def confirm_secret(self, request: Request, slug: str) -> Response:
        """Make the delivered secret live."""
        endpoint = self.get_object()
        try:
            with transaction.atomic():
                secret = confirm(endpoint)
                log(request, secret, ADDITION, f"confirmed as delivered to {endpoint.slug}.")
        except (WaitRefused, ValidationError) as exc:
            raise Conflict("; ".join(getattr(exc, "messages", [str(exc)]))) from exc
        return Response(SecretSerializer(secret, context={"endpoint": endpoint}).data, status=201)


def _shown(endpoint: Endpoint) -> Mapping[str, Any]:
    return AwaitedSecretSerializer(awaited(endpoint, now=timezone.now())).data
