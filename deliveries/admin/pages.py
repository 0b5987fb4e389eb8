"""What all pages about rows of ours have in common: a user finds there the rows that they may see."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import HubAdmin


class HubPages(HubAdmin):
    """Pages of a model whose rows belong to endpoints, unless ``of_endpoints`` says otherwise."""

    #: Whether the rows are seen by those only who may see their endpoint, through the model's ``visible_to``.
    of_endpoints: ClassVar[bool] = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the user may see: what is not among them is in no list, on no page, and in no order."""
        rows: Any = super().get_queryset(request)
        visible: QuerySet[Any] = rows.visible_to(request.user) if self.of_endpoints else rows
        return visible
