"""Pause and resume: an endpoint or a route takes events in all the same, their deliveries wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import router, transaction
from django.utils import timezone

from deliveries import audit
from deliveries.models import Delivery, Release, pause_lock
from integrations.models import Endpoint, EndpointState, Route

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def pause_endpoint(endpoint: Endpoint, *, by: User, via: str = "") -> int:
    """Go on storing events and hold every delivery that has not started; return how many were held."""
    return set_endpoint_state(endpoint, EndpointState.PAUSED, by=by, via=via)


def resume_endpoint(endpoint: Endpoint, *, by: User, via: str = "", rate_per_second: float | None = None) -> int:
    """Deliver again, what was held first; return how many were let go. Those of paused routes stay held.

    With ``rate_per_second`` the workers let them go one after the other: what comes back is how many there are.
    """
    if rate_per_second is None:
        return set_endpoint_state(endpoint, EndpointState.ACTIVE, by=by, via=via)
    with transaction.atomic():
        _stop_releases(endpoint=endpoint, route=None)
        _set_state(endpoint, EndpointState.ACTIVE)
        return _release(endpoint, None, rate_per_second, by=by, via=via)


def set_endpoint_state(endpoint: Endpoint, state: EndpointState, *, by: User, via: str = "") -> int:
    """Move ``endpoint`` to ``state``; hold its deliveries if that is paused, else let them go. Return how many."""
    with transaction.atomic():
        # First of all, so that no worker lets go what is held in the next moment.
        _stop_releases(endpoint=endpoint)
        _set_state(endpoint, state)
        deliveries = Delivery.objects.filter(endpoint=endpoint)
        if state == EndpointState.PAUSED:
            moved = deliveries.hold()
        else:
            moved = deliveries.filter(route__paused=False).resume(now=timezone.now())
        _log(endpoint, f"{EndpointState(state).name.capitalize()}; {moved} deliveries moved.", by=by, via=via)
    return moved


def pause_route(route: Route, *, by: User, via: str = "") -> int:
    """Hold every delivery of ``route`` that has not started, and those to come; return how many were held."""
    with transaction.atomic():
        _stop_releases(route=route)
        _set_paused(route, True)
        moved = Delivery.objects.filter(route=route).hold()
        _log(route, f"Paused; {moved} deliveries held.", by=by, via=via)
    return moved


def resume_route(route: Route, *, by: User, via: str = "", rate_per_second: float | None = None) -> int:
    """Let the deliveries of ``route`` go; return how many. While its endpoint is paused they stay held.

    With ``rate_per_second`` the workers let them go one after the other: what comes back is how many there are.
    """
    with transaction.atomic():
        _stop_releases(route=route)
        _set_paused(route, False)
        if rate_per_second is not None:
            return _release(route.endpoint, route, rate_per_second, by=by, via=via)
        held = Delivery.objects.filter(route=route).exclude(endpoint__state=EndpointState.PAUSED)
        moved = held.resume(now=timezone.now())
        _log(route, f"Resumed; {moved} deliveries released.", by=by, via=via)
    return moved


def _release(endpoint: Endpoint, route: Route | None, rate_per_second: float, *, by: User, via: str) -> int:
    release = Release(
        endpoint=endpoint,
        route=route,
        rate_per_second=rate_per_second,
        created_by=by.get_username(),
        created_at=timezone.now(),
        total=0,
    )
    release.total = release.held().count()
    if release.total:
        release.save(force_insert=True)
    entry = f"Resumed at {rate_per_second:g} per second; {release.total} deliveries to release."
    _log(route or endpoint, entry, by=by, via=via)
    return release.total


def _stop_releases(**of: Any) -> None:
    Release.objects.filter(**of).stop(now=timezone.now())


def _set_state(endpoint: Endpoint, state: EndpointState) -> None:
    pause_lock.take(endpoint.pk, using=router.db_for_write(Delivery))
    endpoint.state = state
    endpoint.save(update_fields=["state", "updated_at"])


def _set_paused(route: Route, paused: bool) -> None:
    pause_lock.take(route.endpoint_id, using=router.db_for_write(Delivery))
    route.paused = paused
    route.save(update_fields=["paused", "updated_at"])


def _log(row: Endpoint | Route, message: str, *, by: User, via: str) -> None:
    audit.record(audit.Action.ORDERED, row, by=by, message=message, via=via)
