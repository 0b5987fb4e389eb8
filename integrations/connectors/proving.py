"""Putting a connection's proof on a request: just before it is sent, for some hold the time."""

from __future__ import annotations

import base64
from datetime import datetime
from uuid import uuid4

import httpx

from integrations.connectors.addresses import join
from integrations.connectors.extras import extra
from integrations.connectors.kinds import kinds
from integrations.connectors.spec import ConnectionSpec
from integrations.contracts import InboundRequest, case_insensitive
from integrations.errors import ConnectionMissing
from integrations.providers import providers

#: Which preset of the receiving side makes the signature: what the hub verifies, it can also sign.
_SIGNED_LIKE = {"hmac": "generic_hmac", "standard_webhooks": "standard_webhooks"}
_OAUTH2 = frozenset({"oauth2_client_credentials", "oauth2_refresh_token"})


def needs_token(spec: ConnectionSpec) -> bool:
    """Return whether calls carry a token that has to be fetched first."""
    return spec.auth in _OAUTH2


def prove(request: httpx.Request, spec: ConnectionSpec, *, now: datetime, token: str = "") -> httpx.Request:
    """Return ``request`` with the proof that ``spec`` says; ``token`` is the one that was fetched, for OAuth 2.0.

    Raises `ConnectionMissing` if the credentials cannot be used.
    """
    secrets = spec.credentials
    match spec.auth:
        case "none":
            return request
        case "basic":
            request.headers["Authorization"] = f"Basic {basic(secrets['username'], secrets['password'])}"
        case "bearer":
            request.headers["Authorization"] = f"Bearer {secrets['token']}"
        case "header":
            request.headers[spec.auth_settings["name"]] = spec.auth_settings.get("prefix", "") + secrets["value"]
        case "query":
            request.url = request.url.copy_set_param(spec.auth_settings["name"], secrets["value"])
        case "address":
            request.url = _secret_address(request.url, spec)
        case "aws":
            _sign_for_aws(request, spec)
        case name if name in _OAUTH2:
            request.headers["Authorization"] = f"Bearer {token}"
        case name if name in _SIGNED_LIKE:
            _sign(request, spec, now=now)
        case _:
            raise ConnectionMissing(f"The connection {spec.name!r} has a proof that this version does not know.")
    return request


def _secret_address(asked: httpx.URL, spec: ConnectionSpec) -> httpx.URL:
    if asked != join(spec.base_url, ""):
        raise ConnectionMissing(f"The connection {spec.name!r} has one address, and no paths below it.")
    return httpx.URL(spec.credentials["url"])


def _sign_for_aws(request: httpx.Request, spec: ConnectionSpec) -> None:
    """Sign as https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html says, by AWS' own library."""
    auth, awsrequest, credentials = (
        extra(f"botocore.{name}", package="botocore") for name in ("auth", "awsrequest", "credentials")
    )
    kind = kinds.get(spec.kind)
    service = (kind.aws_service if kind else "") or spec.auth_settings.get("service", "")
    signed = {name: request.headers[name] for name in ("Content-Type", "X-Amz-Target") if name in request.headers}
    unsigned = awsrequest.AWSRequest(request.method, str(request.url), data=request.content, headers=signed)
    pair = credentials.Credentials(spec.credentials["access_key_id"], spec.credentials["secret_access_key"])
    auth.SigV4Auth(pair, service, spec.auth_settings["region"]).add_auth(unsigned)
    for name in ("X-Amz-Date", "Authorization"):
        request.headers[name] = unsigned.headers[name]


def basic(username: str, password: str) -> str:
    """Return what follows ``Basic`` (RFC 7617, in UTF-8)."""
    return base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _sign(request: httpx.Request, spec: ConnectionSpec, *, now: datetime) -> None:
    headers = dict(request.headers)
    if spec.auth == "standard_webhooks":
        headers.setdefault("webhook-id", f"msg_{uuid4().hex}")
    unsigned = InboundRequest(
        method=request.method,
        url=str(request.url),
        query_string=request.url.query.decode("ascii"),
        headers=case_insensitive(headers),
        body=request.content,
        received_at=now,
    )
    try:
        scheme = providers[_SIGNED_LIKE[spec.auth]].scheme_for(spec.auth_settings)
        signed = scheme.sign(unsigned, spec.credentials["secret"], now=now)
    except ValueError:
        raise ConnectionMissing(f"The connection {spec.name!r} cannot sign with its settings and secret.") from None
    for name, value in signed.headers.items():
        if request.headers.get(name) != value:
            request.headers[name] = value
