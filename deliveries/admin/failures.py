"""The page of failures: what failed lately, grouped by what is the same about it, with one button to replay it all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Max, Min
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from deliveries.admin import orders
from deliveries.admin.filters import WHEN, span_of
from deliveries.admin.frame import frame
from deliveries.models import Delivery, DeliveryStatus
from deliveries.models.states import FAILED
from deliveries.models.transitions import DeliveryQuerySet
from integrations.admin.base import HubAdmin
from integrations.models import Endpoint

#: Failed deliveries of each status that are looked at, the newest.
MOST_FAILED = 20_000
#: Groups on the page, the largest.
MOST_GROUPS = 100
#: Endpoints that are offered to choose from.
_OFFERED = 500


@dataclass(frozen=True)
class Failure:
    """Deliveries of one route that failed with the same error and stand in ``status``."""

    fingerprint: str
    error: str
    status: str
    endpoint: str
    route_id: Any
    route: str
    count: int
    first: datetime
    last: datetime
    replay_url: str
    list_url: str


def failures_page(admin: HubAdmin, request: HttpRequest) -> HttpResponse:
    """Show the groups; raises `PermissionDenied` for who may not view deliveries."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if not admin.has_view_permission(request):
        raise PermissionDenied
    when, endpoint = request.GET.get("when", ""), request.GET.get("endpoint", "")
    rows = _of_endpoint(Delivery.objects.visible_to(request.user), endpoint)
    found, is_cut = failures(rows, when=when, now=timezone.now())
    offered = Endpoint.objects.visible_to(request.user).order_by("slug").values_list("pk", "slug")
    context = {
        **frame(admin, request, gettext("Failures")),
        "failures": found,
        "is_cut": is_cut,
        "most": MOST_FAILED,
        "when": when,
        "spans": [
            (urlencode({"when": name, "endpoint": endpoint}), text, name == when)
            for name, text in (("", gettext("All")), *WHEN)
        ],
        "endpoints": [(str(pk), slug, str(pk) == endpoint) for pk, slug in offered[:_OFFERED]],
        "may_replay": request.user.has_perm(orders.PERMISSION),
    }
    return TemplateResponse(request, "admin/deliveries/delivery/failures.html", context)


def _of_endpoint(rows: DeliveryQuerySet, endpoint: str) -> DeliveryQuerySet:
    """Return those of the endpoint with this id, all for ""; what is no id finds nothing."""
    try:
        return rows.filter(endpoint=UUID(endpoint)) if endpoint else rows
    except ValueError:
        return rows.none()


def failures(rows: DeliveryQuerySet, *, when: str, now: datetime) -> tuple[list[Failure], bool]:
    """Return the groups of what failed among ``rows``, the largest first, and whether there was more than is looked at.

    A ``when`` that is no span of time finds nothing.
    """
    if when:
        try:
            since, until = span_of(when, now)
        except ValueError:
            return [], False
        rows = rows.filter(created_at__gte=since, **({"created_at__lt": until} if until else {}))
    groups: list[Failure] = []
    is_cut = False
    for status in FAILED:
        failed = rows.filter(status=status)
        newest = failed.order_by("-created_at", "-pk").values_list("created_at", flat=True)
        oldest = next(iter(newest[MOST_FAILED - 1 : MOST_FAILED]), None)
        if oldest is not None:
            is_cut = True
            failed = failed.filter(created_at__gte=oldest)
        groups += _grouped(failed, status, when)
    return sorted(groups, key=lambda group: (-group.count, group.fingerprint))[:MOST_GROUPS], is_cut


def _grouped(failed: DeliveryQuerySet, status: DeliveryStatus, when: str) -> list[Failure]:
    counted = (
        failed.order_by()
        .values("fingerprint", "route_id", slug=F("endpoint__slug"), name=F("route__name"))
        .annotate(count=Count("pk"), first=Min("created_at"), last=Max("created_at"), error=Max("last_error"))
        .order_by("-count")[:MOST_GROUPS]
    )
    return [_failure(dict(row), status, when) for row in counted]


def _failure(row: dict[str, Any], status: DeliveryStatus, when: str) -> Failure:
    wanted = {"status": status.value, "route": str(row["route_id"]), "fingerprint": row["fingerprint"], "when": when}
    query = urlencode({name: value for name, value in wanted.items() if value})
    is_dead = status == DeliveryStatus.DEAD
    return Failure(
        fingerprint=row["fingerprint"],
        error=row["error"],
        status=status.value,
        endpoint=row["slug"],
        route_id=row["route_id"],
        route=row["name"],
        count=row["count"],
        first=row["first"],
        last=row["last"],
        # What has no fingerprint cannot be told from the rest of the route: its list is the way to it.
        replay_url=f"{reverse('admin:deliveries_delivery_replay')}?{query}" if is_dead and row["fingerprint"] else "",
        list_url=f"{reverse('admin:deliveries_delivery_changelist')}?{query}",
    )
