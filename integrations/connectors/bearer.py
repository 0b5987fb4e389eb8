"""Asking an API with a token: guarded addresses, a time limit for each call, bounded answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from integrations.connectors.http import CallFailed, call, guarded_client
from integrations.errors import GiveUp
from integrations.history import NotAnswered

_CALL_SECONDS = 30.0
#: A page of a hundred events, or one of GitHub's payloads, which are up to 25 MB.
_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class TokenApi:
    """The API at ``base_url``, asked with ``token`` in ``header``; an `integrations.history.Api`."""

    base_url: str
    token: str = field(repr=False)
    header: str = "Authorization"
    prefix: str = "Bearer "

    def get(self, url: str, *, params: Mapping[str, str]) -> httpx.Response:
        """Return the answer; raises `NotAnswered`, whose text says what went wrong and holds no credential."""
        address = f"{self.base_url.rstrip('/')}/{url}"
        # Not compressed: what is read is bounded, and what it would unpack to is not.
        headers = httpx.Headers({self.header: f"{self.prefix}{self.token}", "Accept-Encoding": "identity"})
        try:
            query = httpx.QueryParams(dict(params))
            with guarded_client(_CALL_SECONDS) as client:
                reply = call(
                    client,
                    "GET",
                    f"{address}?{query}" if params else address,
                    headers=headers,
                    kept_body_bytes=_ANSWER_BYTES,
                )
        except (CallFailed, GiveUp) as exc:
            raise NotAnswered(str(exc)) from None
        if not reply.is_whole:
            raise NotAnswered("the answer broke off or is too long")
        # What was compressed unasked stays so, and is no JSON: unpacked it could be of any size.
        headers = httpx.Headers([pair for pair in reply.headers.multi_items() if pair[0].lower() != "content-encoding"])
        return httpx.Response(reply.status, headers=headers, content=reply.body)
