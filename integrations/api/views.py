"""What all views of the API have in common."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from integrations.api import idempotency
from integrations.api.filters import StrictFilterBackend
from integrations.api.pagination import NewestFirst
from integrations.api.parsing import LengthRequired
from integrations.api.permissions import ModelPermissions

M = TypeVar("M", bound=Model)

UUID_REGEX = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class HubViewSet(GenericViewSet[M]):
    """Lists by cursor and strict filters, guarded by the model's permissions.

    ``action_permissions`` names another permission for an action of the view. Rows of endpoints that the user may not
    see are not there.
    """

    action_permissions: ClassVar[dict[str, str]] = {}
    #: Whether the rows are seen by those only who may see their endpoint, through the model's ``visible_to``.
    of_endpoints: ClassVar[bool] = True
    permission_classes = [ModelPermissions]
    pagination_class = NewestFirst
    filter_backends = [StrictFilterBackend]
    http_method_names = ["get", "head", "post", "patch", "delete"]

    def get_queryset(self) -> QuerySet[M]:
        """Return the rows that the user may see: what is not among them is in no list, and no order reaches it."""
        rows: Any = super().get_queryset()
        visible: QuerySet[M] = rows.visible_to(self.request.user) if self.of_endpoints else rows
        return visible

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body that would not be read; let a POST with an ``Idempotency-Key`` be done once."""
        super().initial(request, *args, **kwargs)
        if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired
        handler: Any = getattr(self, "post", None) if request.method == "POST" else None
        key = idempotency.key_of(request) if handler is not None else None
        if key is not None:  # by now the caller is known, and may do this
            vars(self)["post"] = partial(idempotency.once, handler, key=key)
