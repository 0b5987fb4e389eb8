"""Who may do what: the permissions of the models, reading included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.views import APIView


class ModelPermissions(DjangoModelPermissions):
    """The model's own permissions by method; a view's ``action_permissions`` name others for its actions."""

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
    }

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the token's user may do this."""
        named: Mapping[str, str] = getattr(view, "action_permissions", {})
        action: Any = getattr(view, "action", None)
        if action in named:
            return bool(request.user and request.user.has_perm(named[action]))
        return super().has_permission(request, view)
