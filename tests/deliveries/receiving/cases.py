"""What the tests of the receiving path share: a signed sender."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from django.db import connection, connections
from django.http import HttpResponse
from django.test import Client

from integrations.models import Endpoint
from tests.factories import make_endpoint

SECRET = "correct horse battery staple"


def signature(body: bytes, secret: str = SECRET) -> str:
    """Return what ``generic_hmac`` wants in X-Signature; made here, without the hub's own code."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def cut_connection() -> int:
    """Have PostgreSQL end the connection of this thread, which does not know of it yet; return the backend's pid."""
    cut: int = connection.connection.info.backend_pid
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [cut])
    finally:
        other.close()
    return cut


def signed_endpoint(**values: Any) -> Endpoint:
    """Make an endpoint whose requests `Sender.send` signs; the id is in X-Event-Id, the type in the body's type."""
    places = {"event_id": "header:X-Event-Id", "event_type": "body:type"}
    return make_endpoint(**{"provider": "generic_hmac", "secret": SECRET, "settings": places, **values})


class Sender:
    """Sends requests to endpoints; mixed into a test case."""

    client: Client

    def send(
        self,
        endpoint: Endpoint,
        body: bytes | Mapping[str, Any] = b"{}",
        *,
        event_id: str = "",
        secret: str = SECRET,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        query: str = "",
        **environ: Any,
    ) -> HttpResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        proof = {"X-Signature": signature(raw, secret)} if secret else {}
        identity = {"X-Event-Id": event_id} if event_id else {}
        return self.client.generic(
            "POST",
            f"/hooks/{endpoint.slug}{query}",
            raw,
            content_type,
            headers={**proof, **identity, **(headers or {})},
            **environ,
        )
