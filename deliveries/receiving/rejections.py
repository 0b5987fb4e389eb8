"""What was refused: all of it counted, some of it kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, Min, QuerySet, Sum, Value
from django.db.models.expressions import Combinable

from deliveries.models import Rejection
from deliveries.models.rollup import Measure
from deliveries.models.sealing import sealed_columns, storable, storable_json
from deliveries.overload.judging import Room
from deliveries.overload.standing import overload
from deliveries.receiving.endpoints import LiveEndpoint
from deliveries.receiving.sampling import Sampler
from deliveries.receiving.tally import lock_endpoints, tally, write
from deliveries.stats.counting import counting
from integrations.contracts import InboundRequest
from integrations.errors import RequestRejected

log = structlog.get_logger(__name__)

#: The newest so many of one reason from one source are kept.
PER_GROUP = 20
#: The detail that says how many of the request's headers were not kept.
HEADERS_LEFT_OUT = "headers_left_out"
#: The details that hold the method and the path where they are not those of an event.
METHOD, PATH = "method", "path"
_HEADER_CHARACTERS = 32 * 1024
# A flood costs a digest and a count in memory. What is kept of it is enough to see what it is.
_of_group = Sampler(burst=PER_GROUP, per_second=1)
_of_endpoint = Sampler(burst=200, per_second=10)


def record(
    endpoint: LiveEndpoint, request: InboundRequest, refusal: RequestRejected, *, body: bytes | None, body_bytes: int
) -> None:
    """Count the refusal, keep and log the request within bounds; what goes wrong here is logged and changes no answer.

    ``body`` None means that it was not read; ``body_bytes`` is how large it was, as far as that is known.
    """
    reason = count(endpoint, refusal, at=request.received_at)
    if overload.now.room > Room.ENOUGH:  # what is left of the disk is for events
        return
    group = (endpoint.row.pk, neighbourhood(request.source), reason)
    if not (_of_group.admits(group) and _of_endpoint.admits(endpoint.row.pk)):
        return
    log.info("request.refused", endpoint=endpoint.row.slug, reason=refusal.reason, status=refusal.status_code)
    counted = tally.take(endpoint.row.pk)
    try:
        columns = _columns(endpoint, request, refusal, body=body)
        with transaction.atomic():
            lock_endpoints(endpoint.row.pk)
            write(counted)
            kept = Rejection.objects.create(**{**columns, "body_bytes": max(body_bytes, columns["body_bytes"])})
            _bound(kept)
    except Exception as exc:
        tally.give_back(counted)
        log.exception("rejection.not_stored", endpoint=endpoint.row.slug, error_type=type(exc).__name__)


def count(endpoint: LiveEndpoint, refusal: RequestRejected, *, at: datetime) -> str:
    """Count the refusal in memory; return its reason as it can be stored."""
    reason = storable(refusal.reason, 60)
    tally.add(endpoint.row.pk, reason, at)
    counting.add(Measure.REFUSED, endpoint.row.pk, at=at)
    return reason


def neighbourhood(source: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 one; "" where it is not known."""
    if ":" not in source:
        return source
    return str(ip_network((source, 64), strict=False))


def _columns(
    endpoint: LiveEndpoint, request: InboundRequest, refusal: RequestRejected, *, body: bytes | None
) -> dict[str, Any]:
    headers, left_out = _bounded_headers(request.headers)
    detail = {**refusal.detail, **_unusual(endpoint, request), **({HEADERS_LEFT_OUT: left_out} if left_out else {})}
    sealed = sealed_columns(
        headers=headers,
        query_string=request.query_string,
        body=body if body is None or len(body) <= settings.HUB_REJECTION_BODY_BYTES else None,
        content_type=request.headers.get("Content-Type", ""),
        secret_headers=endpoint.scheme.proof_headers,
        secret_parameters=endpoint.scheme.proof_parameters,
        # Whoever sent it, it may have been meant for somebody else: also a password in it is not the hub's to show.
        encrypt_body=True,
    )
    return {
        **sealed,
        "kept_bytes": _kept_bytes(sealed),
        "endpoint_id": endpoint.row.pk,
        "reason": storable(refusal.reason, 60),
        "detail": storable_json(detail),
        "received_at": request.received_at,
        "request_id": request.request_id,
        "source": request.source,
    }


def _unusual(endpoint: LiveEndpoint, request: InboundRequest) -> dict[str, str]:
    """Return what the columns do not say: another method than POST, another path than the endpoint's."""
    path = request.url.partition("?")[0].removeprefix(settings.HUB_BASE_URL)
    unusual = {} if request.method == "POST" else {METHOD: request.method}
    return unusual if path == f"/hooks/{endpoint.row.slug}" else {**unusual, PATH: path[:255]}


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


def _kept_bytes(sealed: Mapping[str, Any]) -> int:
    """Return about how many bytes the columns take; what is encrypted when it is saved grows by a third."""
    texts = len(json.dumps(sealed["headers"])) + len(sealed["query_string"]) + len(sealed["sealed"]) * 4 // 3
    return texts + len(sealed["raw_body"] or b"")


def _bound(newest: Rejection) -> None:
    """Remove what ``newest`` has made too many: of its group, then of the source that has most on the endpoint."""
    of_endpoint = Rejection.objects.filter(endpoint=newest.endpoint_id)
    group = of_endpoint.filter(reason=newest.reason, source=newest.source).order_by("-received_at", "-pk")
    _delete(list(group.values_list("pk", flat=True)[PER_GROUP:]))
    total = of_endpoint.aggregate(rows=Count("pk"), kept_bytes=Sum("kept_bytes", default=0))
    _evict(of_endpoint, Value(1), surplus=total["rows"] - settings.HUB_REJECTIONS_PER_ENDPOINT)
    if total["kept_bytes"] > settings.HUB_REJECTION_BYTES_PER_ENDPOINT:
        kept_bytes = of_endpoint.aggregate(sum=Sum("kept_bytes", default=0))["sum"]
        _evict(of_endpoint, F("kept_bytes"), surplus=kept_bytes - settings.HUB_REJECTION_BYTES_PER_ENDPOINT)


def _evict(rows: QuerySet[Rejection], weight: Combinable, *, surplus: int) -> None:
    """Remove ``surplus`` of what ``rows`` weigh: always the oldest of the source that holds most."""
    weighed = rows.annotate(weight=ExpressionWrapper(weight, output_field=BigIntegerField()))
    while surplus > 0:
        sources = weighed.order_by().values("source").annotate(held=Sum("weight"), oldest=Min("received_at"))
        most = list(sources.order_by("-held", "oldest").values_list("source", "held")[:2])
        if not most:
            return  # retention was faster
        largest, *others = most
        # More than one row goes only where the limit has been lowered, or one large row came.
        wanted = min(surplus, max(1, largest[1] - (others[0][1] if others else 0)))
        oldest = weighed.filter(source=largest[0]).order_by("received_at", "pk").values_list("pk", "weight")
        surplus -= _delete_until(oldest, wanted)


def _delete_until(oldest: QuerySet[Any, tuple[UUID, int]], wanted: int) -> int:
    """Delete the first of ``oldest`` that together weigh ``wanted`` or more; return what they weighed."""
    ids, gone = [], 0
    for pk, weight in oldest:
        ids.append(pk)
        gone += weight
        if gone >= wanted:
            break
    _delete(ids)
    return gone


def _delete(ids: list[Any]) -> None:
    if ids:
        Rejection.objects.filter(pk__in=ids).delete()
