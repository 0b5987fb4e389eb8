"""For those who run the hub: is it alive, is it ready for traffic, and its numbers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deliveries import readiness
from deliveries.metrics.exposition import exposed
from deliveries.receiving.source import client_address, is_within
from integrations.api.scopes import may


@require_safe
def live(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Answer 200 as long as the process can answer at all; says nothing else, to everybody."""
    return HttpResponse("ok\n", content_type="text/plain")


class FromOperations(BasePermission):
    """Requests from ``HUB_OPERATIONS_NETWORKS``, and those with a valid token from anywhere."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the request may look; asks the database only if the address does not suffice."""
        return self.is_near(request) or bool(request.user and request.user.is_authenticated)

    @staticmethod
    def is_near(request: Request) -> bool:
        """Return whether the request comes from ``HUB_OPERATIONS_NETWORKS``."""
        address = client_address(request._request)
        return address is not None and is_within(address, settings.HUB_OPERATIONS_NETWORKS)


class ReadyView(APIView):
    """200 if every check is well, else 503 with the reason; each check's finding is in the JSON."""

    permission_classes = [FromOperations]
    throttle_classes = []  # a count would ask for the user, and so the database
    http_method_names = ["get", "head"]

    def perform_authentication(self, request: Request) -> None:
        """Leave it to `FromOperations`: a probe from the right network is answered without a database, too."""

    def get(self, request: Request) -> Response:
        """Run the checks."""
        findings = readiness.look(timezone.now())
        reasons = [finding.reason for finding in findings.values() if not finding.ok]
        answer = {
            "status": "unavailable" if reasons else "ready",
            "reason": " ".join(reasons) or None,
            "checks": {name: finding.as_json() for name, finding in findings.items()},
        }
        return Response(answer, status=503 if reasons else 200, headers={"Cache-Control": "no-store"})


class FromOperationsOrReader(FromOperations):
    """Requests from ``HUB_OPERATIONS_NETWORKS``, and tokens of those who may see deliveries."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the request may see numbers of endpoints and routes."""
        return self.is_near(request) or may(request, "deliveries.view_delivery")


class MetricsView(APIView):
    """What Prometheus reads: the whole hub's numbers, whichever web process answers.

    A token sees those of the endpoints that its user may see.
    """

    permission_classes = [FromOperationsOrReader]
    throttle_classes = []
    http_method_names = ["get", "head"]

    def perform_authentication(self, request: Request) -> None:
        """Leave it to the permission, as above."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Refuse nobody: whatever is asked for, the answer is one of Prometheus' formats."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        """Answer in Prometheus' text format, or in OpenMetrics for who asks for it."""
        user = None if FromOperations.is_near(request) else request.user
        text, content_type = exposed(user, now=timezone.now(), accept=request.headers.get("Accept", ""))
        return HttpResponse(text, content_type=content_type, headers={"Cache-Control": "no-store"})
