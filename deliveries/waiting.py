"""The wait for a secret that the provider delivers itself, as operators order it in the admin and the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from integrations.errors import HubError
from integrations.models import AwaitedSecret, Endpoint, Secret
from integrations.providers import providers


class WaitRefused(HubError):
    """There is nothing to wait for, or to confirm; the message says why."""


@dataclass(frozen=True)
class Awaited:
    """How far an endpoint's wait is: ``state`` is ``none``, ``waiting`` or ``pending`` (to be confirmed).

    ``value`` is the delivered secret only where the provider wants it entered in a form of its own; else "".
    """

    state: str = "none"
    expires_at: datetime | None = None
    received_at: datetime | None = None
    source: str = ""
    value: str = field(default="", repr=False)


def delivers_secret(endpoint: Endpoint) -> bool:
    """Return whether the endpoint's provider delivers its secret itself."""
    preset = providers.get(endpoint.provider)
    return preset is not None and preset.delivered_secret is not None


def start(endpoint: Endpoint, *, by: str) -> AwaitedSecret:
    """Let ``endpoint`` wait from now on; raises `WaitRefused` where the provider delivers none."""
    if not delivers_secret(endpoint):
        raise WaitRefused(gettext("This provider does not deliver its secret; add it by hand."))
    if endpoint.retired_at is not None:
        raise WaitRefused(gettext("The endpoint is retired."))
    return AwaitedSecret.objects.start(endpoint, by=by, now=timezone.now())


def awaited(endpoint: Endpoint, *, now: datetime) -> Awaited:
    """Return how far the endpoint's wait is."""
    rows = AwaitedSecret.objects.filter(endpoint=endpoint)
    row = (rows.waiting(now) | rows.pending(now)).first()
    if row is None:
        return Awaited()
    if row.received_at is None:
        return Awaited("waiting", expires_at=row.expires_at)
    preset = providers.get(endpoint.provider)
    shown = row.value or "" if preset is not None and preset.enters_delivered_secret else ""
    return Awaited("pending", received_at=row.received_at, source=row.source, value=shown)


def confirm(endpoint: Endpoint) -> Secret:
    """Make the delivered secret live; raises `WaitRefused` if none has come, ValidationError if it is unusable."""
    now = timezone.now()
    with transaction.atomic():
        row = AwaitedSecret.objects.pending(now).filter(endpoint=endpoint).first()
        if row is None:
            raise WaitRefused(gettext("No secret has been delivered that could be confirmed."))
        return row.confirm(now=now)


def drop(endpoint: Endpoint) -> None:
    """End the wait; a secret that came and was not confirmed is forgotten."""
    AwaitedSecret.objects.filter(endpoint=endpoint).delete()
