"""What was refused: all of it counted, some of it kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Min

from deliveries.models import Rejection, RejectionCount
from deliveries.models.sealing import sealed_columns, storable, storable_json
from deliveries.receiving.endpoints import LiveEndpoint
from integrations.contracts import InboundRequest
from integrations.errors import RequestRejected
from integrations.models import Endpoint

log = structlog.get_logger(__name__)

#: The newest so many of one reason from one source are kept.
PER_GROUP = 20
_HEADER_CHARACTERS = 32 * 1024


def record(
    endpoint: LiveEndpoint, request: InboundRequest, refusal: RequestRejected, *, body: bytes | None, body_bytes: int
) -> None:
    """Count the refusal and keep the request within bounds; what goes wrong here is logged and changes no answer.

    ``body`` None means that it was not read; ``body_bytes`` is how large it was, as far as that is known.
    """
    try:
        columns = _columns(endpoint, request, refusal, body=body)
        with transaction.atomic():
            # One writer for each endpoint, so that the bounds hold; events go on being stored beside it.
            Endpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.row.pk).values_list("pk").first()
            _count(endpoint.row, columns["reason"], request.received_at)
            kept = Rejection.objects.create(**{**columns, "body_bytes": max(body_bytes, columns["body_bytes"])})
            _bound(kept)
    except Exception as exc:
        log.exception("rejection.not_stored", endpoint=endpoint.row.slug, error_type=type(exc).__name__)


def _columns(
    endpoint: LiveEndpoint, request: InboundRequest, refusal: RequestRejected, *, body: bytes | None
) -> dict[str, Any]:
    headers, left_out = _bounded_headers(request.headers)
    detail = {**refusal.detail, **({"headers_left_out": left_out} if left_out else {})}
    return {
        **sealed_columns(
            headers=headers,
            query_string=request.query_string,
            body=body if body is None or len(body) <= settings.HUB_REJECTION_BODY_BYTES else None,
            content_type=request.headers.get("Content-Type", ""),
            secret_headers=endpoint.scheme.proof_headers,
            secret_parameters=endpoint.scheme.proof_parameters,
            # Whoever sent it, it may have been meant for somebody else: also a password in it is not the hub's to show.
            encrypt_body=True,
        ),
        "endpoint_id": endpoint.row.pk,
        "reason": storable(refusal.reason, 60),
        "detail": storable_json(detail),
        "received_at": request.received_at,
        "request_id": request.request_id,
        "source": request.source,
    }


def _bounded_headers(headers: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Return as many headers as are kept of a stranger's request, the short ones first, and how many are not."""
    kept: dict[str, str] = {}
    room = _HEADER_CHARACTERS
    for name, value in sorted(headers.items(), key=lambda header: len(header[1])):
        room -= len(name) + len(value)
        if room < 0:
            break
        kept[name] = value
    return kept, len(headers) - len(kept)


def _count(endpoint: Endpoint, reason: str, at: datetime) -> None:
    hour = at.replace(minute=0, second=0, microsecond=0)
    if not RejectionCount.objects.filter(endpoint=endpoint, reason=reason, hour=hour).update(count=F("count") + 1):
        RejectionCount.objects.create(endpoint=endpoint, reason=reason, hour=hour, count=1)


def _bound(newest: Rejection) -> None:
    """Remove what ``newest`` has made too many: of its group, then of the source that has most on the endpoint."""
    of_endpoint = Rejection.objects.filter(endpoint=newest.endpoint_id)
    group = of_endpoint.filter(reason=newest.reason, source=newest.source).order_by("-received_at", "-pk")
    _delete(list(group.values_list("pk", flat=True)[PER_GROUP:]))
    surplus = of_endpoint.count() - settings.HUB_REJECTIONS_PER_ENDPOINT
    while surplus > 0:
        sources = of_endpoint.order_by().values("source").annotate(rows=Count("pk"), oldest=Min("received_at"))
        largest, *others = sources.order_by("-rows", "oldest").values_list("source", "rows")[:2]
        lead = largest[1] - (others[0][1] if others else 0)
        oldest = of_endpoint.filter(source=largest[0]).order_by("received_at", "pk")
        # More than one only where the limit has been lowered.
        surplus -= _delete(list(oldest.values_list("pk", flat=True)[: min(surplus, max(1, lead))]))


def _delete(ids: list[Any]) -> int:
    return Rejection.objects.filter(pk__in=ids).delete()[0] if ids else 0
