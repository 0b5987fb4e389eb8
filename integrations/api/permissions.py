"""Who may do what: the permissions of the models, reading included, as far as the token's scopes go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.views import APIView

from integrations.api.scopes import in_scope, scope_of


class ModelPermissions(DjangoModelPermissions):
    """The model's own permissions by method; a view's ``action_permissions`` name others for its actions."""

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
    }
    message: str | None = None

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the user may do this, and the token has the scope for it."""
        if not request.user or not request.user.is_authenticated:
            return False
        needed = self._needed(request, view)
        outside = next((name for name in needed if not in_scope(request, name)), None)
        if outside is not None:
            self.message = f"The token has not the scope “{scope_of(outside)}”."
        return outside is None and bool(request.user.has_perms(needed))

    def _needed(self, request: Request, view: APIView) -> list[str]:
        named: Mapping[str, str] = getattr(view, "action_permissions", {})
        action: Any = getattr(view, "action", None)
        if action in named:
            return [named[action]]
        return self.get_required_permissions(request.method or "", self._queryset(view).model)
