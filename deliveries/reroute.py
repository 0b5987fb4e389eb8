"""Reroute: deliveries of a stored event for the routes that match it today and have none of it yet."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit
from deliveries.models import Delivery, Event
from deliveries.receiving.queueing import Wanted, make_deliveries
from integrations.errors import HubError
from integrations.models import EndpointState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)


class NotRerouted(HubError):
    """The event cannot be routed any more; the message says why, for the operator."""


def obstacle(event: Event) -> str:
    """Return why no delivery of ``event`` can be made, in a sentence; "" if one can."""
    if event.endpoint.retired_at is not None or event.endpoint.state == EndpointState.DISABLED:
        return gettext("Its endpoint is switched off.")
    if event.raw_body is None:
        return event.why_no_body or gettext("Its body has not been kept.")
    return ""


def unserved(event: Event) -> list[Wanted]:
    """Return a delivery to make for each route that matches ``event`` now and has none of it, in their stable order.

    Raises `NotRerouted` if none can be made.
    """
    if reason := obstacle(event):
        raise NotRerouted(reason)
    try:
        payload = event.payload
    except ImproperlyConfigured as exc:
        raise NotRerouted(gettext("Its body cannot be decrypted; was a key of HUB_ENCRYPTION_KEYS removed?")) from exc
    served = set(event.deliveries.values_list("route_id", flat=True))
    routes = event.endpoint.routes.enabled()
    new = (route for route in routes if route.pk not in served)
    return [Wanted(event, route, payload) for route in new if route.takes(event.event_type, payload)]


def reroute(event: Event, *, by: User, now: datetime | None = None, via: str = "") -> list[Delivery]:
    """Make a delivery of ``event`` for each route that is `unserved`, due at once; return those that were made.

    They are held where the endpoint or the route is paused. What has a delivery already keeps it: that is what replay
    is for. The log names ``by``, and ``via`` as with `replay`; an order that made nothing leaves no entry. Raises
    `NotRerouted` if none can be made.
    """
    with transaction.atomic():
        # Of two orders at the same moment, the second waits here and then finds the deliveries of the first.
        Event.objects.select_for_update(no_key=True).filter(pk=event.pk).values_list("pk").first()
        made = make_deliveries(unserved(event), event.endpoint, now=now or timezone.now())
        if made:
            Event.objects.filter(pk=event.pk).have_attempts_again()
            message = f"Rerouted; deliveries made: {len(made)}."
            audit.record(audit.Action.ORDERED, event, by=by, message=message, via=via)
    log.info("event.rerouted", endpoint=event.endpoint.slug, event_uuid=str(event.pk), deliveries=len(made))
    return made
