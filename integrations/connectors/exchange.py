"""One exchange with an outside system: the proof, the guarded connection, and redirects where they are wanted."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from integrations.connectors.addresses import origin
from integrations.connectors.egress import Resolve, resolve
from integrations.connectors.headers import CREDENTIAL
from integrations.connectors.http import CallImpossible, Proxy, Reply, guarded_client, send
from integrations.connectors.proving import prove
from integrations.connectors.sent import Note, noted, nowhere
from integrations.connectors.spec import ConnectionSpec

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Exchange:
    """Sends requests of one connection, each of which ``note`` is told. Tests bring ``ssl_context`` and ``resolve``."""

    spec: ConnectionSpec
    answer_bytes: int
    ssl_context: ssl.SSLContext | None = None
    resolve: Resolve = resolve
    note: Note = nowhere

    def send(self, request: httpx.Request, *, seconds: float, token: str = "") -> Reply:
        """Return the answer to ``request`` with the connection's proof on it, within ``seconds``.

        Redirects are followed only where the connection says so, only of calls that read, never from https:// to
        http://, and to another host without the proof and without headers that look like one. Raises `CallFailed`,
        `CallImpossible`, `EgressRefused`.
        """
        spec = self.spec
        with guarded_client(
            seconds,
            connect_seconds=spec.connect_timeout,
            read_seconds=spec.read_timeout,
            allow=spec.allow,
            proxy=_proxy(spec),
            ssl_context=self.ssl_context,
            resolve=self.resolve,
        ) as client:
            hop = request
            for _ in range(_MOST_REDIRECTS + 1):
                proven = self._proven(hop, token)
                with noted(self.note, hop, proven, spec) as call:
                    reply = send(client, proven, kept_body_bytes=self.answer_bytes)
                    call.status = reply.status
                onward = self._redirected(hop, reply)
                if onward is None:
                    return reply
                hop = onward
        raise CallImpossible(f"{spec.name} redirects more than {_MOST_REDIRECTS} times")

    def _proven(self, request: httpx.Request, token: str) -> httpx.Request:
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        if origin(request.url) != origin(self.spec.base_url):
            return copy
        return prove(copy, self.spec, now=datetime.now(UTC), token=token)

    def _redirected(self, request: httpx.Request, reply: Reply) -> httpx.Request | None:
        """Return the request that follows ``reply``; None if it is the answer."""
        location = reply.headers.get("Location", "")
        if not self.spec.follow_redirects or reply.status not in _REDIRECTS or not location:
            return None
        if request.method not in _READING:
            return None
        try:
            url = request.url.join(location)
        except httpx.InvalidURL:
            return None
        if url.scheme not in {"http", "https"} or (request.url.scheme, url.scheme) == ("https", "http"):
            return None
        headers = httpx.Headers(request.headers)
        if origin(url) != origin(self.spec.base_url):
            headers = httpx.Headers([pair for pair in headers.multi_items() if not CREDENTIAL.search(pair[0])])
        headers.pop("Host", None)
        return httpx.Request(request.method, url.copy_with(userinfo=b"", fragment=None), headers=headers)


def _proxy(spec: ConnectionSpec) -> Proxy | None:
    if not spec.proxy:
        return None
    username = spec.credentials.get("proxy_username", "")
    return Proxy(spec.proxy, (username, spec.credentials.get("proxy_password", "")) if username else None)
