"""Where the pages are that a concern or an alert leads to, and who may open them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from deliveries.concerns.concern import Page, Place

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: Each kind of page: its address, the permission to open it, and what the link to it says.
_PAGES: dict[Page, tuple[str, str, str | Promise]] = {
    Page.DELIVERIES: (
        "deliveries_delivery_changelist",
        "deliveries.view_delivery",
        gettext_lazy("Show the deliveries"),
    ),
    Page.REJECTIONS: (
        "deliveries_rejection_changelist",
        "deliveries.view_rejection",
        gettext_lazy("Show the refusals"),
    ),
    Page.BLOCKED_KEYS: ("deliveries_parkedkey_changelist", "deliveries.view_parkedkey", gettext_lazy("Show the keys")),
    Page.WORKERS: ("deliveries_worker_changelist", "deliveries.view_worker", gettext_lazy("Show the workers")),
    Page.WORKER: ("deliveries_worker_change", "deliveries.view_worker", gettext_lazy("Show the worker")),
    Page.OVERLOAD: ("deliveries_acceptonly_changelist", "deliveries.view_worker", gettext_lazy("Show the load")),
    Page.ENDPOINT: ("integrations_endpoint_change", "integrations.view_endpoint", gettext_lazy("Open the endpoint")),
    Page.ENDPOINTS: (
        "integrations_endpoint_changelist",
        "integrations.view_endpoint",
        gettext_lazy("Show the endpoints"),
    ),
    Page.CONNECTION: (
        "integrations_connection_change",
        "integrations.view_connection",
        gettext_lazy("Open the connection"),
    ),
    Page.EVENT: ("deliveries_event_change", "deliveries.view_event", gettext_lazy("Open the event")),
    Page.SHAPE: ("deliveries_shape_change", "deliveries.view_shape", gettext_lazy("Show the shape")),
    Page.SHAPES: ("deliveries_shape_changelist", "deliveries.view_shape", gettext_lazy("Show the shapes")),
    Page.ROUTE: ("integrations_route_change", "integrations.view_route", gettext_lazy("Open the route")),
}


def link_to(place: Place, user: Person) -> tuple[str, str]:
    """Return the address of ``place`` and what a link to it says; both "" if the user may not open it."""
    name, permission, text = _PAGES[place.page]
    if not user.has_perm(permission):
        return "", ""
    try:
        url = reverse(f"admin:{name}", args=[place.pk] if place.pk is not None else None)
    except NoReverseMatch:  # a key from an older version's row
        return "", ""
    return (f"{url}?{urlencode(place.filters)}" if place.filters else url), str(text)
