"""Lists: newest first, by cursor, without counting."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


class NewestFirst(CursorPagination):
    """Pages by ``id``: UUIDv7 grows with time, so that rows which arrive meanwhile neither repeat nor hide any."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        """Return the rows of the asked page; raises `ValidationError` for a cursor or page size that is none."""
        page: list[Any] | None = super().paginate_queryset(queryset, request, view)
        # The public address, not the Host header: behind a proxy that ends TLS the token must not go out over http.
        self.base_url = f"{settings.HUB_BASE_URL}{request.get_full_path()}"
        return page

    def get_page_size(self, request: Request) -> int:
        """Return the asked page size."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not (asked.isascii() and asked.isdigit() and len(asked) <= 4 and 1 <= int(asked) <= self.max_page_size):
            raise ValidationError({self.page_size_query_param: [f"A whole number from 1 to {self.max_page_size}."]})
        return int(asked)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of a page whose ``results`` are as ``schema`` says."""
        address = {"type": ["string", "null"], "format": "uri", "example": None}
        properties = {
            "next": {**address, "description": "The next page; null: this is the last."},
            "previous": {**address, "description": "The page before; null: this is the first."},
            "results": schema,
        }
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Return the OpenAPI parameters of every list."""
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            _parameter(self.cursor_query_param, {"type": "string"}, "Where the page begins: from `next`, `previous`."),
            _parameter(self.page_size_query_param, size, "Rows on a page."),
        ]

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return where the page begins; ids are unique, so that each cursor has a position."""
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None:
                UUID(str(cursor.position))
        except (NotFound, ValueError) as exc:
            raise ValidationError({self.cursor_query_param: ["Not a cursor of this list."]}) from exc
        return cursor


class PageSerializer(serializers.Serializer[Any]):
    """The shape of all lists; a subclass says what ``results`` are."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


def one_page(results: list[Any]) -> Response:
    """Return a short, whole list in the shape of all lists."""
    return Response({"next": None, "previous": None, "results": results})
