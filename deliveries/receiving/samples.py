"""Test events: made and signed as the provider would, and sent through the real receiving path."""

from __future__ import annotations

import io
import json
import shlex
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit
from deliveries.models.sealing import MASK, masked_query
from deliveries.receiving.view import ReceiveView
from integrations.contracts import InboundRequest, Sample, case_insensitive
from integrations.errors import HubError
from integrations.models import Endpoint, Secret
from integrations.verification import Scheme
from integrations.verification.texts import header_text

if TYPE_CHECKING:
    from deliveries.audit import Person

_FORM = "application/x-www-form-urlencoded"
_NEW_ID = "$(od -An -N8 -tx1 /dev/urandom | tr -d ' ')"
_PLACEHOLDER = "<the-secret>"  # no space: it may stand in a URL


class CannotSign(HubError):
    """The endpoint has nothing to sign a test event with; the message says what is missing."""


def signed_sample(
    endpoint: Endpoint,
    *,
    event_type: str = "",
    payload: Any = None,
    body: bytes | None = None,
    by: Person | None = None,
) -> InboundRequest:
    """Return a test event with a fresh id as the provider would send it now.

    ``payload`` (a JSON value; a dict for providers that send forms) or ``body`` take the place of the example's own.
    It is signed with the newest live secret, or, where secrets are public keys, with a key pair that `signing_secret`
    makes, ``by`` whoever wants it. Raises `CannotSign`.
    """
    now = timezone.now()
    request = _unsigned(endpoint, _sample(endpoint, event_type=event_type, payload=payload, body=body), now=now)
    key = _signing_key(endpoint, now=now, by=by)
    try:
        return _scheme(endpoint).sign(request, key, now=now)
    except ValueError as exc:  # a body that has no place for the proof, where that is in the body
        raise CannotSign(gettext("This body cannot be signed: %(why)s") % {"why": exc}) from exc


def send_sample(
    endpoint: Endpoint, *, event_type: str = "", payload: Any = None, by: Person | None = None
) -> tuple[int, Any]:
    """Put a signed test event through the receiving path, in this process; return the status and the answer.

    The answer is the JSON value, or the text where the provider's own form is no JSON. Of the checks only the source's
    network is left out: the hub is not the provider. A proof that is the secret itself is masked before anything is
    stored: who may send a test event, and read it, need not have the secret. Raises `CannotSign`, and whatever the view
    raises.
    """
    request = signed_sample(endpoint, event_type=event_type, payload=payload, by=by)
    conceal = partial(_concealed, _scheme(endpoint))
    response = ReceiveView.as_view(from_the_hub_itself=True, conceal=conceal)(_as_http(request), slug=endpoint.slug)
    if hasattr(response, "render"):
        response.render()
    text = response.content.decode("utf-8", "replace")
    try:
        return response.status_code, json.loads(text)
    except ValueError:
        return response.status_code, text


def curl_line(endpoint: Endpoint) -> str:
    """Return one line for a shell that sends a signed test event; it holds no secret.

    The event id is a new one at each paste if it is in a header that the signature does not cover. A proof that is the
    secret itself (a token, a password) is left out: the line says where to put it. Raises `CannotSign`.
    """
    now = timezone.now()
    scheme, key = _scheme(endpoint), _signing_key(endpoint, now=now)
    unsigned = _unsigned(endpoint, _sample(endpoint), now=now)

    def signed(**changes: Any) -> InboundRequest:
        return scheme.sign(replace(unsigned, **changes), key, now=now)

    request = signed()
    proof = _proof(scheme, request)
    # A proof in the body is none that another body could be compared with, and covers at least something of it.
    if scheme.needs_key and proof and proof == _proof(scheme, signed(body=b"{}")):
        request = _without_proof(scheme, request, header=_PLACEHOLDER, parameter=_PLACEHOLDER)
    if key:
        request = replace(
            request, body=request.body.replace(key.encode("utf-8", "surrogatepass"), _PLACEHOLDER.encode())
        )
    headers = {name: shlex.quote(f"{name}: {text}") for name, text in request.headers.items()}
    name = _id_header(endpoint)
    if name in headers and proof == _proof(scheme, signed(headers=_with(unsigned.headers, name, "another"))):
        headers[name] = f'"{name}: test-{_NEW_ID}"'
    options = [f"-H {header}" for header in headers.values()]
    return " ".join(["curl -sS", shlex.quote(request.url), *options, "--data-raw", shlex.quote(request.body.decode())])


def signing_secret(endpoint: Endpoint, *, now: datetime, by: Person | None) -> tuple[Secret, bool]:
    """Return the secret that signs test events, and whether it was made just now. Raises `CannotSign`.

    Where the provider keeps the private key to itself, that is a key pair of the hub's own, labelled "test events". It
    is live like any other secret, so the audit log says who had it made.
    """
    live = endpoint.secrets.live(now)
    if _scheme(endpoint).symmetric:
        secret = live.first()
        if secret is None:
            raise CannotSign(gettext("The endpoint has no live secret."))
        return secret, False
    # "" is stored as it is, so that it can be told from an encrypted key without decrypting any.
    secret = next((secret for secret in live if secret.signing_key), None)
    if secret is not None:
        return secret, False
    public, private = _scheme(endpoint).new_pair()
    with transaction.atomic():
        made = Secret.objects.create(endpoint=endpoint, label="test events", value=public, signing_key=private)
        change = audit.difference(made, None, audit.snapshot(made))
        who = "" if by is not None else "command line"
        message = f"A key pair for test events of {endpoint.slug}."
        audit.record(audit.Action.MADE, made, by=by, who=who, message=message, change=change, now=now)
    return made, True


def _scheme(endpoint: Endpoint) -> Scheme:
    try:
        return endpoint.preset.scheme_for(endpoint.settings)
    except (KeyError, ValueError) as exc:
        raise CannotSign(gettext("The provider's preset cannot work with the endpoint's settings.")) from exc


def _signing_key(endpoint: Endpoint, *, now: datetime, by: Person | None = None) -> str:
    if not _scheme(endpoint).needs_key:
        return ""
    secret, _ = signing_secret(endpoint, now=now, by=by)
    try:
        return secret.signing_key or secret.resolved()
    except HubError as exc:
        raise CannotSign(gettext("The endpoint's newest secret cannot be read: %(why)s.") % {"why": exc}) from exc


def _sample(endpoint: Endpoint, *, event_type: str = "", payload: Any = None, body: bytes | None = None) -> Sample:
    sample = endpoint.preset.example(event_type, str(uuid.uuid4()), endpoint.settings)
    if body is not None:
        return replace(sample, body=body)
    if payload is None:
        return sample
    if sample.content_type != _FORM:
        return replace(sample, body=json.dumps(payload).encode())
    field = endpoint.preset.json_field
    fields = {field: json.dumps(payload)} if field or not isinstance(payload, Mapping) else payload
    return replace(sample, body=urlencode(fields, doseq=True).encode())


def _unsigned(endpoint: Endpoint, sample: Sample, *, now: datetime) -> InboundRequest:
    if endpoint.url is None:
        raise CannotSign(gettext("The endpoint has no public URL."))
    query_string = urlencode(sample.query)
    return InboundRequest(
        method="POST",
        url=endpoint.url + ("?" if query_string else "") + query_string,
        query_string=query_string,
        headers=case_insensitive({"Content-Type": sample.content_type, **sample.headers}),
        body=sample.body,
        received_at=now,
    )


def _proof(scheme: Scheme, signed: InboundRequest) -> list[tuple[str, str]]:
    """Return what ``scheme`` has added to a request."""
    headers = [(name, text) for name, text in signed.headers.items() if name.lower() in scheme.proof_headers]
    return headers + [(name, text) for name, text in signed.query.items() if name.lower() in scheme.proof_parameters]


def _without_proof(scheme: Scheme, request: InboundRequest, *, header: str, parameter: str) -> InboundRequest:
    """Return ``request`` with ``header`` or ``parameter`` where its proof was."""
    headers = {name: header if name.lower() in scheme.proof_headers else text for name, text in request.headers.items()}
    query_string = masked_query(request.query_string, scheme.proof_parameters, parameter)
    url = request.url.partition("?")[0] + ("?" if query_string else "") + query_string
    return replace(request, headers=case_insensitive(headers), url=url, query_string=query_string)


def _concealed(scheme: Scheme, request: InboundRequest) -> InboundRequest:
    """Return ``request``, signed by ``scheme``, with the mask where its proof was if that is the secret itself.

    ``scheme`` is the one that signed it: another process may have changed the endpoint's since.
    """
    if not scheme.shows_key:
        return request
    if scheme.proof_headers or scheme.proof_parameters:
        return _without_proof(scheme, request, header=header_text(MASK), parameter=quote(MASK))
    return scheme.sign(request, MASK, now=request.received_at) if request.body else request


def _with(headers: Mapping[str, str], name: str, text: str) -> Mapping[str, str]:
    return case_insensitive({**headers, name: text})


def _id_header(endpoint: Endpoint) -> str:
    """Return the header in which the endpoint looks for the event's id; "" if it looks elsewhere."""
    places = [endpoint.settings["event_id"]] if endpoint.settings.get("event_id") else endpoint.preset.event_id
    kind, _, rest = next(iter(places), "").partition(":")
    return rest.split("|")[0] if kind == "header" else ""


def _as_http(request: InboundRequest) -> WSGIRequest:
    """Return ``request`` as Django gets it from a server."""
    address = urlsplit(request.url)
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": f"/hooks/{address.path.rpartition('/')[2]}",
        "QUERY_STRING": request.query_string,
        "SERVER_NAME": address.hostname or "localhost",
        "SERVER_PORT": str(address.port or 80),
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.url_scheme": address.scheme,
        "wsgi.input": io.BytesIO(request.body),
    }
    for name, text in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = text
    http = WSGIRequest(environ)
    http.request_id = f"test-{uuid.uuid4().hex}"  # type: ignore[attr-defined]
    return http
