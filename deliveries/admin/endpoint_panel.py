"""What stands above the form of an endpoint: its secrets, its routes with their switches, and what came last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext

from deliveries import display
from deliveries.admin.endpoint_health import health
from deliveries.models import Event, Rejection
from deliveries.stats.windows import window
from integrations.admin.inlines import may_write_secrets
from integrations.models import Endpoint, Secret

_RECENT = 5
_SECRETS = 10


def panel(request: HttpRequest, row: Endpoint, *, now: datetime) -> dict[str, Any]:
    """Return what the user may see of ``row``, in a bounded number of rows."""
    shown: dict[str, Any] = {"secrets_shown": _secrets(row, now), "may_end_secrets": may_write_secrets(request, row)}
    if request.user.has_perm("integrations.view_route"):
        shown["routes_shown"] = row.routes.live().order_by("created_at", "id")
        shown["may_switch"] = row.retired_at is None and request.user.has_perm("integrations.change_route")
        shown["may_add_route"] = row.retired_at is None and request.user.has_perm("integrations.add_route")
    if request.user.has_perm("deliveries.view_event"):
        events = Event.objects.filter(endpoint=row).order_by("-received_at")
        shown["recent_events"] = events.only("pk", "event_type", "event_id", "verdict", "received_at")[:_RECENT]
        shown["health"] = health(row, window("24h", now=now), user=request.user)
    if request.user.has_perm("deliveries.view_rejection"):
        refused = Rejection.objects.filter(endpoint=row).order_by("-received_at")
        shown["recent_refusals"] = refused.only("pk", "reason", "source", "received_at")[:_RECENT]
    return shown


def _secrets(row: Endpoint, now: datetime) -> list[dict[str, Any]]:
    live = list(row.secrets.live(now).defer("value", "signing_key")[:_SECRETS])
    for secret in live:
        secret.endpoint = row  # it is here already
    return [
        {"row": secret, "is_safe": secret.safe_to_retire(live, now=now), "judgement": judgement(secret, live, now)}
        for secret in live
    ]


def judgement(secret: Secret, live: list[Secret], now: datetime) -> str:
    """Return what ending ``secret`` now would mean."""
    if secret.safe_to_retire(live, now=now):
        since = secret.last_used_at or secret.created_at
        return gettext("Safe to retire: another one has been used since, this one not for %(length)s.") % {
            "length": display.length(now - since)
        }
    if secret.last_used_at is None:
        return gettext("Not used yet.")
    if len(live) == 1:
        return gettext("In use; the only one.")
    used_since = any(other.last_used_at and other.last_used_at > secret.last_used_at for other in live)
    return (
        gettext("Another one has been used since; the provider may still send again what it signed with this.")
        if used_since
        else gettext("In use: it proved the latest request.")
    )
