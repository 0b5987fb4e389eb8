"""Settings and configuration: what cannot work, or works without protection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.http.request import validate_host

from deliveries.doctor.symptoms import Finding, Symptom, problem, warning

#: Checks of the hub whose warning means that events are refused, or die.
_PROBLEMS = {"hub.W002", "hub.W003"}


def settings_are_safe(_now: datetime) -> Finding:
    """Run Django's checks and the hub's, those for a deployment included, without the database."""
    return "", list(_translated(checks.run_checks(include_deployment_checks=True)))


def configuration_can_work(_now: datetime) -> Finding:
    """Run those that look at the stored endpoints and routes."""
    found = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    return "", list(_translated(found))


def addresses_agree(_now: datetime) -> Finding:
    """Look whether the hub answers to the name in its own public address."""
    host = urlsplit(settings.HUB_BASE_URL).hostname or ""
    if validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        return settings.HUB_BASE_URL, ()
    text = f"HUB_BASE_URL names {host}, which is not in ALLOWED_HOSTS: the hub answers 400 to its own address."
    return settings.HUB_BASE_URL, [problem(text, f"Add {host} to ALLOWED_HOSTS, or leave ALLOWED_HOSTS out.")]


def somebody_can_log_in(_now: datetime) -> Finding:
    """Look for an active administrator."""
    count = get_user_model()._default_manager.filter(is_superuser=True, is_active=True).count()
    if count:
        return f"{count} of them", ()
    return "", [warning("There is no active superuser.", "Make one: `python manage.py createsuperuser`.")]


def _translated(found: Iterable[checks.CheckMessage]) -> Iterable[Symptom]:
    for message in sorted(found, key=lambda message: str(message.id)):  # Django keeps its checks in no order
        if message.is_silenced() or message.level < checks.WARNING:
            continue
        make = problem if message.level >= checks.ERROR or message.id in _PROBLEMS else warning
        yield make(f"{message.msg} ({message.id})", message.hint or "Read what the check's name leads to.")
