"""What all views of the API have in common."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from integrations.api.filters import StrictFilterBackend
from integrations.api.pagination import NewestFirst
from integrations.api.parsing import LengthRequired
from integrations.api.permissions import ModelPermissions

M = TypeVar("M", bound=Model)

UUID_REGEX = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class HubViewSet(GenericViewSet[M]):
    """Lists by cursor and strict filters, guarded by the model's permissions.

    ``action_permissions`` names another permission for an action of the view.
    """

    action_permissions: ClassVar[dict[str, str]] = {}
    permission_classes = [ModelPermissions]
    pagination_class = NewestFirst
    filter_backends = [StrictFilterBackend]
    http_method_names = ["get", "head", "post", "patch", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body that would not be read."""
        super().initial(request, *args, **kwargs)
        if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired
