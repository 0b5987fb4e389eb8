"""``Authorization: Token <token>``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from deliveries import logins, tokens
from deliveries.api.throttling import wait_after_refused_token

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{16,128}")


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """Knox's hashed, expiring tokens, with scopes and their last use."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return (user, token row), or None without a token.

        Raises `AuthenticationFailed`, or `Throttled` where an address has come with too many that are none.
        """
        try:
            found: tuple[Any, Any] | None = super().authenticate(request)
        except AuthenticationFailed as exc:
            # Only now: a good token is never refused for what others behind the same address did.
            wait = wait_after_refused_token(request)
            if wait:
                raise Throttled(wait) from exc
            if isinstance(exc, _Refused):
                logins.token_refused(request._request, owner=exc.owner, token_key=exc.token_key, reason=exc.reason)
            raise
        return found

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        """Return (user, token row); raises `AuthenticationFailed`."""
        # Knox decodes and looks up whatever came: bytes that are no UTF-8, or a NUL, would end in a 500.
        if not _TOKEN.fullmatch(token):
            raise _Refused("There is no such token.")
        row, now = tokens.find(token.decode()), timezone.now()
        problem = "There is no such token." if row is None else _problem(row, now)
        if problem:
            raise _Refused(problem, row)
        tokens.note_use(row, now=now)
        return row.user, row


class _Refused(AuthenticationFailed):
    """One answer for all: why it was refused is for the log."""

    def __init__(self, reason: str, row: Any = None) -> None:
        super().__init__("Invalid token.")
        self.reason = reason
        self.owner: User | None = row.user if row else None
        self.token_key: str = row.token_key if row else ""


def _problem(row: Any, now: datetime) -> str:
    if row.expiry is not None and row.expiry <= now:
        return "The token has expired."
    return "" if row.user.is_active else "The token's user is switched off."


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
