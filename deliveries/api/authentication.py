"""``Authorization: Token <token>``."""

from __future__ import annotations

import re
from typing import Any

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
