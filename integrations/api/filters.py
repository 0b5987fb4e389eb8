"""Filters of lists: a misspelled one is an error, not a list of everything."""

from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from integrations.api.pagination import NewestFirst

_PAGING = frozenset({NewestFirst.cursor_query_param, NewestFirst.page_size_query_param})


class StrictFilterBackend(filters.DjangoFilterBackend):  # type: ignore[misc]
    """django-filter's backend, which also refuses parameters that no filter has."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        """Return the rows that fit; raises `ValidationError` with the parameter's name."""
        filterset = self.get_filterset(request, queryset, view)
        known = _PAGING.union(filterset.filters if filterset else ())
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            accepted = ", ".join(sorted(known))
            raise ValidationError({name[:100]: [f"No such parameter; there are {accepted}."] for name in unknown[:20]})
        return super().filter_queryset(request, queryset, view)
