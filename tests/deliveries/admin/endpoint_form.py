"""What the endpoint's page posts."""

from __future__ import annotations

import json
from typing import Any

from integrations.models import Endpoint, Route

ADD = "/admin/integrations/endpoint/add/"


def page_of(endpoint: Endpoint) -> str:
    return f"/admin/integrations/endpoint/{endpoint.pk}/change/"


def fields_of(endpoint: Endpoint | None = None, **changes: Any) -> dict[str, Any]:
    """Return what the form posts, with the rows of the secrets and routes that there are."""
    fields: dict[str, Any] = {
        "slug": "shop", "name": "", "provider": "generic_hmac", "state": "active", "settings": "",
        "allowed_networks": "", "content_types": "", "rate_per_second": "", "source_rate_per_second": "",
        "max_body_bytes": "1000", "dedupe": "id", "dedupe_seconds": "", "accepted_status": "200", "priority": "5",
        "batch": "whole",
    }  # fmt: skip
    if endpoint:
        fields |= {"slug": endpoint.slug, "provider": endpoint.provider, "state": endpoint.state}
        fields["settings"] = json.dumps(endpoint.settings)
    secrets = list(endpoint.secrets.order_by("-created_at", "-id")) if endpoint else []
    routes = list(endpoint.routes.live().order_by("created_at", "id")) if endpoint else []
    for prefix, rows in (("secrets", secrets), ("routes", routes)):
        fields |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": len(rows)}
    for number, secret in enumerate(secrets):
        fields |= {f"secrets-{number}-id": secret.pk, f"secrets-{number}-label": secret.label}
        fields |= when(f"secrets-{number}-expires_at", secret.expires_at)
    for number, route in enumerate(routes):
        fields |= {f"routes-{number}-{name}": value for name, value in route_fields(route).items()}
        fields[f"routes-{number}-id"] = route.pk
    return {**fields, **changes}


def when(name: str, moment: Any) -> dict[str, str]:
    return {f"{name}_0": f"{moment:%Y-%m-%d}", f"{name}_1": f"{moment:%H:%M:%S}"} if moment else {}


def route_fields(route: Route | None = None, **changes: Any) -> dict[str, Any]:
    switches = {} if route is None else {name: "on" for name in ("enabled", "paused") if getattr(route, name)}
    return {
        "name": route.name if route else "new", "handler": route.handler if route else "log", "events": "",
        "filter": "", "config": "", "retry": "", "timeout_seconds": "30", "priority": "5",
        "concurrency": "" if route is None or route.concurrency is None else str(route.concurrency),
        "ordering_key": route.ordering_key if route else "",
        "ordering_failure": route.ordering_failure if route else "block", **switches, **changes,
    }  # fmt: skip


def new_secret(value: str, *, number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "secrets-TOTAL_FORMS": number + 1,
        f"secrets-{number}-label": "new",
        f"secrets-{number}-value": value,
        **changes,
    }


def new_route(number: int = 0, **changes: Any) -> dict[str, Any]:
    row = {f"routes-{number}-{name}": value for name, value in route_fields(None, **changes).items()}
    return {"routes-TOTAL_FORMS": number + 1, f"routes-{number}-enabled": "on", **row}
