"""API tokens: made, found and revoked, each on record. Knox keeps the digest, `TokenTerms` the rest."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.db import DatabaseError, transaction
from knox.crypto import hash_token
from knox.models import AuthToken

from deliveries import audit
from deliveries.models.token import NOTED_EVERY, TokenTerms
from integrations.api.scopes import Scope

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = structlog.get_logger(__name__)


def make(
    owner: User, *, life: timedelta | None, scopes: Collection[Scope] | None, by: User, via: str = ""
) -> tuple[Any, str]:
    """Return a new token row of ``owner`` and the token itself, which nobody can be shown again.

    Without ``life`` it is good until it is revoked; without ``scopes`` it may do all that its owner may.
    """
    kept = sorted(scopes) if scopes else None
    with transaction.atomic():
        row, token = AuthToken.objects.create(owner, expiry=life)
        terms = TokenTerms.objects.create(token=row, scopes=kept)
        message = f"Made the API token {row.token_key[:8]}…, for {terms}."
        audit.record(audit.Action.MADE, row, by=by, message=message, change=(None, _noted(row, kept)), via=via)
    return row, token


def revoke(row: Any, *, by: User) -> None:
    """End a token at once."""
    with transaction.atomic():
        message, before = f"Revoked the API token {row.token_key[:8]}….", _noted(row, scopes_of(row))
        audit.record(audit.Action.REMOVED, row, by=by, message=message, change=(before, None))
        row.delete()


def scopes_of(row: Any) -> Collection[str] | None:
    """Return what a token is limited to; None for all that its owner may, as with a token that has no terms."""
    terms: TokenTerms | None = getattr(row, "terms", None)
    return None if terms is None else terms.scopes


def find(token: str) -> Any:
    """Return the token's row, with its user, its terms and ``scopes`` (None: all); None if there is no such token."""
    row = AuthToken.objects.select_related("user", "terms").filter(digest=hash_token(token)).first()
    if row is not None:
        scopes = scopes_of(row)
        row.scopes = None if scopes is None else frozenset(scopes)
    return row


def note_use(row: Any, *, now: datetime) -> None:
    """Note that a found token was used; at most once a minute, and never failing: the request is worth more."""
    last = row.terms.last_used_at if hasattr(row, "terms") else None
    if last is not None and now - last < NOTED_EVERY:
        return
    try:
        with transaction.atomic():
            TokenTerms.objects.note_use(row.pk, now=now)
    except DatabaseError as exc:
        logger.warning("token.last_use_not_noted", error_type=type(exc).__name__)


def _noted(row: Any, scopes: Collection[str] | None) -> dict[str, Any]:
    return {"scopes": scopes, "expires_at": row.expiry}
