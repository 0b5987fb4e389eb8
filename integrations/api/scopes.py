"""What a token may be limited to. A scope narrows what the token's user may do, and never widens it."""

from __future__ import annotations

from enum import StrEnum

from rest_framework.request import Request


class Scope(StrEnum):
    """One part of what can be done over the API."""

    READ = "read"
    REPLAY = "replay"
    CONFIGURE = "configure"


def scope_of(permission: str) -> Scope:
    """Return the scope that ``permission`` ("app.verb_model") is part of; what is no other is to configure."""
    verb = permission.partition(".")[2].partition("_")[0]
    if verb == "view":
        return Scope.READ
    return Scope.REPLAY if verb in {"replay", "order", "run"} else Scope.CONFIGURE


def in_scope(request: Request, permission: str) -> bool:
    """Return whether the token of ``request`` has the scope for ``permission``; a login in the browser has all."""
    scopes = getattr(request.auth, "scopes", None)
    return scopes is None or scope_of(permission) in scopes


def may(request: Request, permission: str) -> bool:
    """Return whether the user has ``permission``, and the token the scope for it."""
    return bool(request.user and request.user.has_perm(permission)) and in_scope(request, permission)
