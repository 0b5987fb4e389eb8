"""Secrets that a provider delivers itself: taken once, while an operator lets the endpoint wait for one."""

from __future__ import annotations

import structlog

from deliveries.receiving.endpoints import LiveEndpoint
from integrations.contracts import InboundRequest
from integrations.models import AwaitedSecret
from integrations.providers import Answer

log = structlog.get_logger(__name__)


def take(endpoint: LiveEndpoint, request: InboundRequest) -> Answer | None:
    """Return the answer to a request that delivers the awaited secret, now kept for an operator to confirm.

    None for every other request: one that is no such delivery, or comes when nobody waits, has to prove itself.
    """
    read = endpoint.preset.delivered_secret
    delivered = None if read is None else read(request)
    if delivered is None:
        return None
    try:
        endpoint.scheme.check_key(delivered.secret)
    except ValueError:
        return None
    taken = AwaitedSecret.objects.take(endpoint.row, delivered.secret, source=request.source, now=request.received_at)
    if not taken:
        return None
    log.info("secret.delivered", endpoint=endpoint.row.slug, source=request.source)
    return delivered.answer
