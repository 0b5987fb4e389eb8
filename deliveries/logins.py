"""Who comes in and who is turned away, noted in the audit log. Strangers cause these entries, so they are bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.contrib.auth import get_user_model, user_logged_in, user_logged_out, user_login_failed
from django.contrib.auth.models import User
from django.http import HttpRequest

from deliveries import audit
from deliveries.audit import Action
from deliveries.receiving.buckets import TokenBuckets
from deliveries.receiving.source import client_address
from deliveries.receiving.throttling import neighbourhood
from deliveries.signing_in import sessions

logger = structlog.get_logger(__name__)

#: Failures that are written down, over all processes of a server: so many at once, then so many a second. The rest is
#: logged only.
_BURST, _PER_SECOND = 60, 1.0
#: Refused tokens of one address: one a minute. A program that goes on with an old token does so for days.
_TOKENS_PER_SECOND = 1 / 60
_buckets = TokenBuckets()


def watch() -> None:
    """Take part in Django's logins from now on; a second call does nothing."""
    user_logged_in.connect(_logged_in, dispatch_uid="audit")
    user_logged_out.connect(_logged_out, dispatch_uid="audit")
    user_login_failed.connect(_login_failed, dispatch_uid="audit")


def token_refused(request: HttpRequest, *, owner: User | None, token_key: str, reason: str) -> None:
    """Note that somebody came with a token that is none, has ended, or whose ``owner`` is switched off."""
    logger.warning("token.refused", reason=reason)
    if _buckets.take(neighbourhood(client_address(request)), _TOKENS_PER_SECOND) or _is_flood():
        return
    message = f"{reason} ({token_key[:8]}…)" if owner else reason
    audit.record(Action.TOKEN_REFUSED, owner, by=owner, message=message)


def forget() -> None:
    """Let the bounds start anew; for tests."""
    _buckets.clear()


def _logged_in(user: User, request: HttpRequest, **_: Any) -> None:
    sessions.begin(request)
    audit.record(Action.LOGGED_IN, user, by=user)


def _logged_out(user: User | None, **_: Any) -> None:
    if user is not None:
        audit.record(Action.LOGGED_OUT, user, by=user)


def _login_failed(credentials: Mapping[str, Any], **_: Any) -> None:
    logger.warning("login.failed")
    if _is_flood():
        return
    # A name that nobody has may be a password that was typed into the wrong field.
    users = get_user_model()
    name = str(credentials.get(users.USERNAME_FIELD, "")).replace("\x00", "")
    known = users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()
    message = "" if known else "There is no such user."
    audit.record(Action.LOGIN_FAILED, known, by=None, who=name if known else "", message=message)


def _is_flood() -> bool:
    return bool(_buckets.take("all", _PER_SECOND, burst=_BURST))
