"""How often a token may ask, and how often an address may come with a token, or a password, that is none."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from deliveries.receiving.buckets import TokenBuckets
from deliveries.receiving.source import client_address
from deliveries.receiving.throttling import neighbourhood

if TYPE_CHECKING:  # the views ask for the settings, and these for this module
    from rest_framework.request import Request
    from rest_framework.views import APIView

_MINUTE = 60.0
_callers = TokenBuckets()
_tokens = TokenBuckets()
_logins = TokenBuckets()


class PerCaller(BaseThrottle):
    """``HUB_API_REQUESTS_PER_MINUTE`` of one token, or of one user without; a whole minute's worth may come at once."""

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Return whether the request is within the limit, and count it if so."""
        self._wait = _take(_callers, _caller(request), settings.HUB_API_REQUESTS_PER_MINUTE)
        return not self._wait

    def wait(self) -> float:
        """Return the seconds until the next request may come."""
        return self._wait


def wait_after_refused_token(request: Request) -> float:
    """Count a refused token of the request's address; return the seconds to wait if there were too many, else 0."""
    return _take(_tokens, _address(request._request), settings.HUB_REFUSED_TOKENS_PER_MINUTE)


def wait_before_login(request: HttpRequest) -> float:
    """Count an attempt to log in from the request's address; return the seconds to wait if there were too many, else 0.

    It is counted before the password is looked at: of many attempts at once none is free.
    """
    return _take(_logins, _address(request), settings.HUB_FAILED_LOGINS_PER_MINUTE)


def login_succeeded(request: HttpRequest) -> None:
    """Take back what `wait_before_login` has counted."""
    _logins.give_back(_address(request))


def forget() -> None:
    """Let every count start anew; for tests."""
    for buckets in (_callers, _tokens, _logins):
        buckets.clear()


def _take(buckets: TokenBuckets, key: Hashable, per_minute: int) -> float:
    return buckets.take(key, per_minute / _MINUTE, burst=per_minute)


def _caller(request: Request) -> Hashable:
    if request.auth is not None:
        token: Hashable = request.auth.pk
        return token
    return request.user.pk if request.user.is_authenticated else _address(request._request)


def _address(request: HttpRequest) -> Hashable:
    return neighbourhood(client_address(request))
