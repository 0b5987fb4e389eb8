"""Whether anybody hears of it when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from deliveries.alerts.channels import hub_alerts
from deliveries.doctor.symptoms import Finding, Symptom, problem, warning
from integrations.models import EndpointState, Route

_MAIL = "email.send"
_NAMED = 5


def somebody_is_told(_now: datetime) -> Finding:
    """Look for a channel that alerts go to, and for routes that send mail where no mail server is set."""
    routes = Route.objects.live().filter(enabled=True)
    endpoint = hub_alerts()
    is_on = endpoint is not None and endpoint.state == EndpointState.ACTIVE
    channels = routes.filter(endpoint=endpoint, paused=False).count() if is_on else 0
    fact = f"{channels} {'channel' if channels == 1 else 'channels'}" if channels else ""
    return fact, [
        *_unheard(channels),
        *_unsent(list(routes.filter(handler=_MAIL).values_list("name", flat=True)[:_NAMED])),
    ]


def _unheard(channels: int) -> Iterator[Symptom]:
    if not channels:
        text = "Alerts reach nobody: no channel is on."
        yield warning(text, "Add one under Alert rules in the admin: docs/how-to/be-told.md.")


def _unsent(names: list[str]) -> Iterator[Symptom]:
    if names and not settings.EMAIL_HOST:
        text = f"Mail cannot be sent, which {', '.join(map(repr, names))} should do: no mail server is set."
        yield problem(text, "Set HUB_EMAIL_URL and HUB_EMAIL_FROM for the workers.")
