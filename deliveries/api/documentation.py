"""``/api/schema/`` and ``/api/docs/``: what the API says of itself, to programs and to people who may log in."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from rest_framework import exceptions
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deliveries.api.authentication import TokenAuthentication
from integrations.api.schema import openapi

# Stricter than other pages': Swagger UI evaluates nothing. Its icons are data: addresses; what is tried out goes to the
# hub alone.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _ForWhoMayLogIn(APIView):
    """Answers those with a token or a login; errors are the API's own."""

    schema = None
    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]
    http_method_names = ["get", "head"]

    def handle_exception(self, exc: Exception) -> Response:
        """Return the answer to ``exc``, in JSON whatever the view itself answers in."""
        response = super().handle_exception(exc)
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response


class SchemaView(_ForWhoMayLogIn):
    """The OpenAPI schema: YAML, or JSON for who accepts that."""

    renderer_classes = [OpenApiYamlRenderer, OpenApiJsonRenderer, OpenApiJsonRenderer2]

    def get(self, request: Request) -> Response:
        """Return the schema, the same for everybody."""
        return Response(_schema(), headers={"Content-Disposition": "inline; filename=openapi"})


class DocsView(_ForWhoMayLogIn):
    """Swagger UI, from the hub's own static files."""

    renderer_classes = [TemplateHTMLRenderer]

    def get(self, request: Request) -> Response:
        """Return the page."""
        headers = {"Content-Security-Policy": _DOCS_POLICY}
        return Response({}, template_name="api/docs.html", headers=headers)

    def handle_exception(self, exc: Exception) -> Any:
        """Return the answer to ``exc``; who comes without a token is led to the login."""
        if isinstance(exc, exceptions.NotAuthenticated):
            return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': self.request.path})}")
        return super().handle_exception(exc)


@cache
def _schema() -> dict[str, Any]:
    return openapi()
