"""The first minutes with a new hub: an administrator and an endpoint to try."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from integrations.models import Endpoint, Route, Secret

DEMO_SLUG = "demo"
_DEMO_SECRET = "env:HUB_SECRET_DEMO"  # noqa: S105 - a reference, not a secret


@dataclass(frozen=True)
class FirstLogin:
    """Who may log in; ``password`` is "" unless it was generated just now."""

    username: str
    password: str


def ensure_administrator() -> FirstLogin:
    """Make the first administrator if there is none; return the login to show.

    The name is ``HUB_ADMIN_USERNAME`` ("admin"), the password ``HUB_ADMIN_PASSWORD`` or a generated one.
    """
    users = get_user_model()._default_manager
    existing = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if existing is not None:
        return FirstLogin(existing.get_username(), "")
    generated = "" if settings.HUB_ADMIN_PASSWORD else secrets.token_urlsafe(12)
    user = users.model(username=settings.HUB_ADMIN_USERNAME, is_staff=True, is_superuser=True)
    user.set_password(settings.HUB_ADMIN_PASSWORD or generated)
    user.save()
    return FirstLogin(settings.HUB_ADMIN_USERNAME, generated)


@transaction.atomic
def ensure_demo() -> Endpoint | None:
    """Make the demo endpoint and its route once; return it, or None if somebody has retired it."""
    endpoint = Endpoint.objects.filter(slug=DEMO_SLUG).order_by("-created_at").first()
    if endpoint is None:
        endpoint = Endpoint.objects.create(
            slug=DEMO_SLUG,
            name="Demo",
            provider="generic_hmac",
            settings={"event_id": "header:X-Event-Id", "event_type": "body:type"},
        )
        Secret.objects.create(endpoint=endpoint, label="made by make run", value=_DEMO_SECRET)
        Route.objects.create(endpoint=endpoint, name="Log every event", handler="log")
    return endpoint if endpoint.retired_at is None else None
