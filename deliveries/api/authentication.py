"""``Authorization: Token <token>``."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{16,128}")


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """Knox's hashed, expiring tokens."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        """Return (user, token row); raises `AuthenticationFailed`."""
        # Knox decodes and looks up whatever came: bytes that are no UTF-8, or a NUL, would end in a 500.
        if not _TOKEN.fullmatch(token):
            raise AuthenticationFailed("Invalid token.")
        found: tuple[Any, Any] = super().authenticate_credentials(token)
        return found


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI schema names it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the security scheme."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <token>`, made by `python manage.py create_token USERNAME` or in the admin under "
            "*API tokens*. A token may do what its user may.",
        }
