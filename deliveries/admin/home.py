"""The first page: what needs attention, what went on, and each endpoint; every number with the list behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import display, first_steps
from deliveries.admin.activity import Card, activity
from deliveries.admin.alerts import firing_for
from deliveries.admin.places import link_to
from deliveries.concerns import LOOKS, Concern, Sight, concerns
from deliveries.concerns.executing import LATE
from deliveries.models import Delivery, DeliveryStatus

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: Concerns that are shown at once; the others are folded.
SHOWN_AT_ONCE = 6
#: The latest dead letters on the page.
_LATEST = 8


@dataclass(frozen=True)
class ShownConcern:
    """A concern with the address of its list, "" if the user may not open it."""

    concern: Concern
    url: str
    link: str


def attention(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the index page's ``context`` what the user may see; Unfold calls this."""
    return context | _shown(request) | {"title": gettext("Overview")}


def live(request: HttpRequest) -> HttpResponseBase:
    """Return the part of the page that changes, for the script that renews it."""
    return admin.site.admin_view(_live)(request)


def _live(request: HttpRequest) -> HttpResponse:
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    return TemplateResponse(request, "admin/deliveries/home/live.html", _shown(request))


def _shown(request: HttpRequest) -> dict[str, Any]:
    sight = Sight(request.user, now=timezone.now())
    may_see = any(sight.may(permission) for permission, _ in LOOKS)
    shown: dict[str, Any] = {
        "now": sight.now,
        "may_see": may_see,
        "has_endpoints": any(row.retired_at is None for row in sight.endpoints.values()),
        "may_add_endpoint": sight.may("integrations.add_endpoint"),
    }
    if not may_see:
        return shown
    if sight.may("integrations.view_endpoint"):
        shown["left"] = first_steps.left(sight)
    if sight.may("deliveries.view_alert"):
        shown["alerts"] = firing_for(request.user)
    found = [_with_link(concern, request.user) for concern in concerns(sight)]
    shown |= {"concerns": found[:SHOWN_AT_ONCE], "more_concerns": found[SHOWN_AT_ONCE:], "cards": []}
    if sight.may("deliveries.view_delivery"):
        shown["activity"] = activity(request, sight)
        shown["cards"] = [*shown["activity"].cards, _queue(sight)]
        shown["dead_letters"] = _latest_dead_letters(request)
    if sight.may("deliveries.view_worker"):
        shown["cards"].append(_workers(sight))
    return shown


def _with_link(concern: Concern, user: Person) -> ShownConcern:
    return ShownConcern(concern, *link_to(concern.place, user))


def _queue(sight: Sight) -> Card:
    url = reverse("admin:deliveries_delivery_changelist") + f"?status={DeliveryStatus.PENDING}"
    found = sight.queue
    if found.oldest_due_at is None:
        return Card(gettext("Queue"), gettext("empty"), gettext("No delivery waits for a worker."), url, "success")
    age = max(sight.now - found.oldest_due_at, timedelta(0))
    depth = f"{found.depth:,}{'+' if found.is_at_least else ''}"
    note = gettext("Due; the oldest for %(length)s.") % {"length": display.length(age)}
    return Card(gettext("Queue"), depth, note, url, "danger" if age > LATE else "success")


def _workers(sight: Sight) -> Card:
    url = reverse("admin:deliveries_worker_changelist")
    alive = sight.workers_alive
    if not alive:
        return Card(gettext("Workers"), "0", gettext("None is heard of."), url, "danger")
    running, threads = sum(row.running for row in alive), sum(row.threads for row in alive)
    return Card(
        gettext("Workers"),
        f"{len(alive):,}",
        gettext("Alive; %(running)s of %(threads)s threads busy.")
        % {"running": f"{running:,}", "threads": f"{threads:,}"},
        url,
        "success",
    )


def _latest_dead_letters(request: HttpRequest) -> Any:
    dead = Delivery.objects.visible_to(request.user).filter(status=DeliveryStatus.DEAD)
    rows = dead.select_related("event", "route", "endpoint")
    return rows.defer("event__raw_body", "event__sealed", "event__headers").order_by("-created_at")[:_LATEST]
