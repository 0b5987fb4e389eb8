"""Why a request is not taken in, besides a missing proof and a bad form (those are the schemes' own errors)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from integrations.errors import RequestRejected


class MethodNotAllowed(RequestRejected):
    """405: not POST, and nothing that the provider's handshake asks for."""

    status_code = 405
    error = "method_not_allowed"


class UnknownEndpoint(RequestRejected):
    """404: no such endpoint, or it is switched off, retired or internal."""

    status_code = 404
    error = "unknown_endpoint"


class UnknownProvider(RequestRejected):
    """400: at the shared URL, and no endpoint recognises it."""

    status_code = 400
    error = "unknown_provider"


class PayloadTooLarge(RequestRejected):
    """413: announced or read, more than the endpoint takes; ``body_bytes`` is how much, as far as it is known."""

    status_code = 413
    error = "payload_too_large"

    def __init__(self, reason: str, *, body_bytes: int, limit: int) -> None:
        super().__init__(reason, {"limit_bytes": limit})
        self.body_bytes = body_bytes


class SourceNotAllowed(RequestRejected):
    """403: from an address outside the endpoint's networks."""

    status_code = 403
    error = "source_not_allowed"


class UnsupportedMediaType(RequestRejected):
    """415: a content encoding, or a type outside the endpoint's own list."""

    status_code = 415
    error = "unsupported_media_type"


class BadBody(RequestRejected):
    """400: the body did not arrive as HTTP says, or not in time."""

    status_code = 400
    error = "malformed_payload"


class Disconnected(BadBody):
    """The sender went away before its body was whole: nobody reads the answer, and nothing is kept."""


class _TryLater(RequestRejected):
    """Refused for now; ``retry_after`` is in whole seconds."""

    def __init__(self, reason: str = "", *, wait_seconds: float, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason, detail)
        self.retry_after = max(1, math.ceil(wait_seconds))


class RateLimited(_TryLater):
    """429: over the source's or the endpoint's rate."""

    status_code = 429
    error = "rate_limited"


class Unavailable(_TryLater):
    """503: nothing could be stored, and nothing was."""

    status_code = 503
    error = "unavailable"


class Shed(Unavailable):
    """503: nothing was stored, for the sake of what is more urgent, or of what is stored already. Counted, not kept."""
