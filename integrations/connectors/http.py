"""HTTP calls to the outside: guarded addresses, one deadline over all of it, bounded answers.

Nothing is taken from the environment (no proxy, no netrc) and no redirect is followed: where a call goes is what the
operator wrote, checked by `integrations.connectors.egress`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import httpcore
import httpx
from django.conf import settings

from integrations import tracing
from integrations.connectors.deadline import Deadline
from integrations.connectors.egress import GuardedBackend, Network, Resolve, resolve
from integrations.errors import GiveUp, HubError

#: How much of an answer's body is read by default; what follows is left on the wire.
KEPT_BODY_BYTES = 64 * 1024
_CONNECT_SECONDS = 5.0


class CallFailed(HubError, httpx.TransportError):
    """An outside system could not be reached, or broke off, or does not speak HTTP; the message holds no secret."""

    #: Whether the request has certainly not been sent: no connection was made.
    was_not_sent = False


class CallTimedOut(CallFailed, httpx.TimeoutException):
    """The time for an outside call was over."""


class CallImpossible(GiveUp):
    """The request itself cannot be sent (an address that is none, a header with a line break): never, however often."""


@dataclass(frozen=True)
class Reply:
    """What an outside system answered: ``body`` is its start, the whole only if ``is_whole``; ``seconds`` it took."""

    status: int
    headers: httpx.Headers
    body: bytes
    is_whole: bool
    seconds: float


@dataclass(frozen=True)
class Proxy:
    """A proxy that calls go through, at an ``http://`` address; ``auth`` are user and password."""

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)


class GuardedTransport(httpx.BaseTransport):
    """Sends httpx's requests through httpcore with a `GuardedBackend`; raises this module's errors."""

    def __init__(self, backend: GuardedBackend, ssl_context: ssl.SSLContext, proxy: Proxy | None = None) -> None:
        self._pool: httpcore.ConnectionPool = (
            httpcore.ConnectionPool(ssl_context=ssl_context, network_backend=backend)
            if proxy is None
            else httpcore.HTTPProxy(proxy.url, proxy_auth=proxy.auth, ssl_context=ssl_context, network_backend=backend)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body of the answer is still to be read."""
        url = request.url
        with _own_errors(url):
            response = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_BodyStream(response, url),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _BodyStream(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response, url: httpx.URL) -> None:
        self._response = response
        self._url = url

    def __iter__(self) -> Iterator[bytes]:
        with _own_errors(self._url):
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


def guarded_client(
    seconds: float,
    *,
    connect_seconds: float = _CONNECT_SECONDS,
    read_seconds: float | None = None,
    allow: Iterable[Network] | None = None,
    proxy: Proxy | None = None,
    ssl_context: ssl.SSLContext | None = None,
    resolve: Resolve = resolve,
) -> httpx.Client:
    """Return a client for calls that all have to end within ``seconds`` from now; close it after use.

    ``read_seconds`` is how long the other side may be silent, None for all the time there is. ``allow`` are the private
    networks that it may reach, ``HUB_EGRESS_ALLOW`` if None; of a call through a ``proxy`` it is the proxy's address
    that is checked, for where the proxy goes only the proxy knows.
    """
    networks = settings.HUB_EGRESS_ALLOW if allow is None else allow
    backend = GuardedBackend(allow=networks, deadline=Deadline(seconds), resolve=resolve)
    silence = seconds if read_seconds is None else min(read_seconds, seconds)
    return httpx.Client(
        transport=GuardedTransport(backend, ssl_context or default_ssl_context(), proxy),
        timeout=httpx.Timeout(seconds, connect=min(connect_seconds, seconds / 2), read=silence),
        follow_redirects=False,
        trust_env=False,
    )


def call(
    client: httpx.Client,
    method: str,
    url: str,
    *,
    headers: httpx.Headers | None = None,
    content: bytes | None = None,
    kept_body_bytes: int = KEPT_BODY_BYTES,
) -> Reply:
    """Send one request and return the answer, whatever its status; of the body at most ``kept_body_bytes``.

    A body that breaks off, or comes too slowly, is kept as far as it came: the status had been said by then. Raises
    `CallFailed`, `CallTimedOut`, `CallImpossible` or `EgressRefused`.
    """
    try:
        request = client.build_request(method, url, headers=headers, content=content)
    except (httpx.InvalidURL, ValueError, TypeError):
        # Not chained, here and below: the text of the error can hold the address or a header's value.
        raise CallImpossible("the address cannot be called") from None
    return send(client, request, kept_body_bytes=kept_body_bytes)


def made(method: str, url: str, *, headers: httpx.Headers, content: bytes | None) -> httpx.Request:
    """Return a request that `send_once` sends; raises `CallImpossible` for an address or a header that is none."""
    try:
        return httpx.Request(method, url, headers=headers, content=content)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise CallImpossible("the address cannot be called") from None


def send_once(request: httpx.Request, *, seconds: float, kept_body_bytes: int = KEPT_BODY_BYTES) -> Reply:
    """Send a request by a client of its own, guarded by ``HUB_EGRESS_ALLOW``; it raises what `call` raises."""
    with guarded_client(seconds) as client:
        return send(client, request, kept_body_bytes=kept_body_bytes)


def send(client: httpx.Client, request: httpx.Request, *, kept_body_bytes: int = KEPT_BODY_BYTES) -> Reply:
    """Send a request that is made already, as `call` does."""
    started = time.monotonic()
    if request.url.scheme not in {"http", "https"} or not request.url.host:
        raise CallImpossible("only http:// and https:// addresses can be called")
    if not 0 < (request.url.port or 80) <= 65535:
        raise CallImpossible("a port is a number from 1 to 65535")  # the system would take it modulo 65536
    request.extensions = {"timeout": client.timeout.as_dict(), **request.extensions}
    with tracing.call(request) as span:
        response = client.send(request, stream=True)
        span.answered(response.status_code)
        try:
            body, is_whole = _start_of_body(response, kept_body_bytes)
        finally:
            response.close()
    return Reply(response.status_code, response.headers, body, is_whole, time.monotonic() - started)


def shown(url: httpx.URL) -> str:
    """Return ``url`` without what may be secret: user, path and query (a chat's webhook address is a key itself)."""
    port = "" if url.port is None else f":{url.port}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}"


@lru_cache(maxsize=1)
def default_ssl_context() -> ssl.SSLContext:
    """Return the context that trusts the bundled roots and this machine's own (``SSL_CERT_FILE`` adds to them)."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _start_of_body(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    body = b""
    try:
        for part in response.iter_raw():  # raw: a small compressed body can be a huge one
            body += part
            if len(body) > limit:
                return body[:limit], False
    except CallFailed:
        return body, False
    return body, True


@contextmanager
def _own_errors(url: httpx.URL) -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as exc:
        late = CallTimedOut(f"{shown(url)} did not answer in time ({_phase(exc)})")
        late.was_not_sent = isinstance(exc, httpcore.ConnectTimeout | httpcore.PoolTimeout)
        raise late from exc
    except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol):
        raise CallImpossible(f"the request to {shown(url)} is not one that HTTP allows") from None
    except httpcore.RemoteProtocolError as exc:
        raise CallFailed(f"{shown(url)} broke off or does not speak HTTP") from exc
    except httpcore.NetworkError as exc:
        failed = CallFailed(f"{shown(url)} cannot be reached: {exc}")
        failed.was_not_sent = isinstance(exc, httpcore.ConnectError)
        raise failed from exc
    except httpcore.ProxyError as exc:
        # The status only: what follows it is the proxy's own text, which can repeat what it was sent.
        failed = CallFailed(f"the proxy does not lead to {shown(url)}: it answered {str(exc)[:3]}")
        failed.was_not_sent = True
        raise failed from exc


def _phase(exc: httpcore.TimeoutException) -> str:
    phases = {httpcore.ConnectTimeout: "connecting", httpcore.WriteTimeout: "sending"}
    return phases.get(type(exc), "waiting for the answer")
