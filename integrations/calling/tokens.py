"""Fetching access tokens (OAuth 2.0, RFC 6749 sections 4.4 and 6): one worker asks, the others wait for it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from django.conf import settings
from django.utils import timezone

from integrations.connectors.exchange import Exchange
from integrations.connectors.http import CallFailed, CallTimedOut
from integrations.connectors.proving import basic
from integrations.connectors.spec import ConnectionSpec
from integrations.errors import GiveUp
from integrations.models import Connection, ConnectionToken

_LEASE = timedelta(seconds=30)
_LOOK_SECONDS = 0.2
_ANSWER_BYTES = 256 * 1024
#: How long a token is good for of which the server does not say it.
_USUAL_LIFE = timedelta(hours=1)


class TokenRefused(GiveUp):
    """The authorization server gives no token for these credentials; the text holds its error code, and no secret."""


class SharedTokens:
    """The `integrations.connectors.client.Tokens` of one connection."""

    def __init__(self, connection: Connection, spec: ConnectionSpec, exchange: Exchange) -> None:
        self._connection = connection
        self._spec = spec
        # To the token's address the proof of the calls is not sent; it has one of its own.
        plain = replace(spec, auth="none", base_url=spec.auth_settings["token_url"], follow_redirects=False)
        self._exchange = replace(exchange, spec=plain, answer_bytes=_ANSWER_BYTES)
        self._holder = uuid4().hex
        self._made_for = _fingerprint(spec)

    def current(self, seconds: float) -> str:
        """Return a token that can be used, within ``seconds``; raises `CallFailed` or `TokenRefused`."""
        ends_at = time.monotonic() + seconds
        while True:
            now = timezone.now()
            row = ConnectionToken.objects.filter(pk=self._connection.pk).first()
            if row is not None and row.is_good(made_for=self._made_for, now=now):
                return str(row.access_token)
            if ConnectionToken.objects.take(self._connection, holder=self._holder, now=now, lease=_LEASE):
                return self._fetched(max(0.1, min(ends_at - time.monotonic(), _LEASE.total_seconds() / 2)))
            if time.monotonic() + _LOOK_SECONDS > ends_at:
                raise CallTimedOut(f"{self._spec.name}: no access token in time")
            time.sleep(_LOOK_SECONDS)

    def refused(self, token: str) -> None:
        """Forget ``token``, unless another has fetched a new one since."""
        row = ConnectionToken.objects.filter(pk=self._connection.pk).first()
        if row is not None and hmac.compare_digest(str(row.access_token).encode(), token.encode()):
            # What is encrypted cannot be compared in the statement; its end is another for each token.
            same = ConnectionToken.objects.filter(pk=row.pk, made_for=row.made_for, expires_at=row.expires_at)
            same.update(access_token="")

    def _fetched(self, seconds: float) -> str:
        # Another may have fetched it between the look and the lease.
        row = ConnectionToken.objects.get(pk=self._connection.pk)
        now = timezone.now()
        if row.is_good(made_for=self._made_for, now=now):
            ConnectionToken.objects.give_back(self._connection, holder=self._holder)
            return str(row.access_token)
        is_latest = row.made_for == self._made_for and bool(row.refresh_token)
        try:
            answer = self._ask(
                row.refresh_token if is_latest else self._spec.credentials.get("refresh_token", ""), seconds
            )
        except BaseException:
            ConnectionToken.objects.give_back(self._connection, holder=self._holder)
            raise
        token = str(answer["access_token"])
        ConnectionToken.objects.give_back(
            self._connection,
            holder=self._holder,
            access_token=token,
            refresh_token=str(answer.get("refresh_token") or (row.refresh_token if is_latest else "")),
            made_for=self._made_for,
            expires_at=now + _life(answer),
        )
        return token

    def _ask(self, refresh_token: str, seconds: float) -> dict[str, Any]:
        options, secrets = self._spec.auth_settings, self._spec.credentials
        form = {"grant_type": "client_credentials"}
        if self._spec.auth == "oauth2_refresh_token":
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        form |= {name: options[name] for name in ("scope", "audience") if options.get(name)}
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if options.get("client_auth", "basic") == "basic":
            # Section 2.3.1: both are form-encoded first.
            pair = basic(quote(options["client_id"], safe=""), quote(secrets["client_secret"], safe=""))
            headers["Authorization"] = f"Basic {pair}"
        else:
            form |= {"client_id": options["client_id"], "client_secret": secrets["client_secret"]}
        body = str(httpx.QueryParams(form)).encode()
        reply = self._exchange.send(
            httpx.Request("POST", options["token_url"], headers=headers, content=body), seconds=seconds
        )
        return self._read(reply.status, reply.body)

    def _read(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if status == 200 and isinstance(answer, dict) and answer.get("access_token"):
            return answer
        if status == 429 or status >= 500:
            raise CallFailed(f"{self._spec.name}: the authorization server answered {status}")
        code = answer.get("error") if isinstance(answer, dict) else None
        known = code if isinstance(code, str) and code.isascii() and code.replace("_", "").isalpha() else ""
        raise TokenRefused(f"{self._spec.name}: the authorization server answered {status} {known[:50]}".rstrip())


def _life(answer: dict[str, Any]) -> timedelta:
    seconds = answer.get("expires_in")
    if isinstance(seconds, str) and seconds.isdigit():
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 366 * 86_400:
        return _USUAL_LIFE
    return timedelta(seconds=seconds)


def _fingerprint(spec: ConnectionSpec) -> str:
    """Return what changes with the credentials, and tells nothing of them."""
    text = json.dumps([spec.auth, dict(spec.auth_settings), sorted(spec.credentials.items())])
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
