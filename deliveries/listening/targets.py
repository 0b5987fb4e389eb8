"""Where a listener delivers: an address, or an endpoint of this machine's own hub."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from deliveries.listening.errors import HubRefuses, NothingListens
from deliveries.listening.remote import Original, is_loopback
from deliveries.models import Verdict
from deliveries.receiving import endpoints, ingest
from deliveries.receiving.drafts import Acceptance
from deliveries.receiving.refusals import Unavailable
from deliveries.reverify import NotReverified, checked
from integrations import tracing
from integrations.contracts import InboundRequest, case_insensitive
from integrations.errors import RequestRejected
from integrations.models import Endpoint

# RFC 9110 section 7.6.1, and what the new connection has to say itself.
_NOT_PASSED_ON = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade", "host", "content-length", "expect"),
    }
)


@dataclass(frozen=True)
class Answer:
    """What became of a delivery: ``is_success``, the ``text`` for the table, and how long it took."""

    is_success: bool
    text: str
    duration_ms: float


class Target(Protocol):
    """Takes requests."""

    def deliver(self, original: Original) -> Answer:
        """Hand the request over; raises `NothingListens`."""

    def close(self) -> None:
        """Close the connections."""


class Address:
    """A URL of this machine: the request goes there with the same body, headers and query."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise HubRefuses("--to has to be an http:// or https:// address, or endpoint:SLUG")
        self._url = url
        self._client = httpx.Client(timeout=timeout_seconds, trust_env=not is_loopback(url))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def deliver(self, original: Original) -> Answer:
        """POST it; raises `NothingListens` if no connection is made."""
        url = self._url
        if original.query_string:
            url += ("&" if "?" in url else "?") + original.query_string
        headers = [
            (name.encode("ascii", "replace"), _wire(text))
            for name, text in original.headers.items()
            if name.lower() not in _NOT_PASSED_ON
        ]
        # A request of its own: the client would add headers that the provider has not sent.
        request = httpx.Request("POST", url, headers=headers, content=original.body)
        started = time.monotonic()
        try:
            with _listening(original), tracing.call(request) as span:
                response = self._client.send(request)
                span.answered(response.status_code)
            success, text = response.is_success, f"{response.status_code} {response.reason_phrase}".strip()
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise NothingListens(f"nothing listens at {self._url}") from exc
        except httpx.HTTPError as exc:
            success, text = False, f"no answer ({type(exc).__name__})"
        return Answer(success, text, _since(started))


class LocalEndpoint:
    """An endpoint of the hub whose database this is: the request is verified and stored as if it had come here.

    Its timestamp is judged at the arrival at the other hub: a laptop that slept through the night refuses nothing as
    stale. The endpoint needs the secret that the provider signed with.
    """

    def __init__(self, slug: str) -> None:
        self._slug = slug

    def close(self) -> None:
        """Leave the database's connection to Django."""

    def deliver(self, original: Original) -> Answer:
        """Verify and store it."""
        started = time.monotonic()
        row = Endpoint.objects.live().filter(slug=self._slug).first()
        if row is None:
            raise HubRefuses(f"this hub has no endpoint {self._slug!r}")
        try:
            with _listening(original):
                accepted = _accept(row, original)
        except NotReverified as exc:
            return Answer(False, str(exc), _since(started))
        except RequestRejected as exc:
            return Answer(False, f"{exc.status_code} {exc.reason}", _since(started))
        except (Unavailable, ImproperlyConfigured):
            return Answer(False, "503 unavailable", _since(started))
        return Answer(True, f"200 {accepted.as_json()['status']} {accepted.event_id}", _since(started))


def target(to: str, *, timeout_seconds: float) -> Target:
    """Return the target that ``to`` names: an address, or ``endpoint:SLUG``."""
    kind, _, slug = to.partition(":")
    return LocalEndpoint(slug) if kind == "endpoint" else Address(to, timeout_seconds=timeout_seconds)


def _listening(original: Original) -> AbstractContextManager[tracing.Span]:
    """Return a span in the trace that the request named when it came to the other hub."""
    return tracing.receipt(case_insensitive(original.headers).get("traceparent", ""), name="listen")


def _accept(row: Endpoint, original: Original) -> Acceptance:
    if not original.is_complete:
        raise HubRefuses(
            "the token may not read credentials, and without its signature no request can be verified here"
        )
    request = InboundRequest(
        method="POST",
        url=original.url,
        query_string=original.query_string,
        headers=case_insensitive(original.headers),
        body=original.body,
        received_at=original.received_at,
    )
    now = timezone.now()
    live = endpoints.live(row)
    payload, proof = checked(live, request, now=now)
    verdict = Verdict.REVERIFIED if proof.verdict == Verdict.VERIFIED else proof.verdict
    return ingest.accept(live, request, payload, verdict=verdict, now=now)


def _wire(text: str) -> bytes:
    try:
        return text.encode("latin-1")  # as WSGI read it
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
