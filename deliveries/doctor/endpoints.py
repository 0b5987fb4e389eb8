"""Endpoints that refuse everything, and references that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured

from deliveries import waiting
from deliveries.doctor.symptoms import Finding, Symptom, problem, warning
from integrations.errors import ReferenceMissing
from integrations.models import Connection, Endpoint, Secret
from integrations.providers import providers
from integrations.references import is_reference, resolve

#: A secret that ends so soon, with no other to take its place, is named.
_SOON = timedelta(days=7)


def endpoints_have_secrets(now: datetime) -> Finding:
    """Look for endpoints that refuse everything for want of a live secret, and for those that soon will."""
    rows = list(Endpoint.objects.receiving().order_by("slug"))
    symptoms = []
    for row in rows:
        if not row.needs_secret:
            continue
        ends = list(row.secrets.live(now).values_list("expires_at", flat=True))
        last = max((end for end in ends if end is not None), default=None)
        if not ends:
            text = f"Endpoint {row.slug!r} has no live secret: it refuses every request."
            symptoms.append(problem(text, _mend(row)))
        elif None not in ends and last is not None and last - now < _SOON:
            text = f"Endpoint {row.slug!r} refuses every request from {last:%Y-%m-%d %H:%M} UTC: its last secret ends."
            symptoms.append(warning(text, "Add the next secret: docs/how-to/rotate-a-secret.md."))
    return f"{len(rows)} receiving", symptoms


def references_lead_somewhere(now: datetime) -> Finding:
    """Follow every reference of live endpoints and connections, in this process's environment."""
    return "", list(_missing(now))


def _missing(now: datetime) -> Iterator[Symptom]:
    for secret in Secret.objects.live(now).filter(endpoint__retired_at=None).select_related("endpoint").defer("value"):
        try:
            value = secret.value
        except ImproperlyConfigured:
            continue  # the check of the keys names it
        yield from _symptom(value, f"The secret {str(secret)!r} of endpoint {secret.endpoint.slug!r}")
    for row in Endpoint.objects.live():
        preset = providers.get(row.provider)
        try:
            settings = row.settings
        except ImproperlyConfigured:
            continue
        for name in sorted(preset.secret_settings & settings.keys()) if preset else ():
            yield from _symptom(settings[name], f"The setting {name} of endpoint {row.slug!r}")
    for connection in Connection.objects.live():
        try:
            credentials = connection.credentials
        except ImproperlyConfigured:
            continue
        for name in sorted(credentials):
            yield from _symptom(credentials[name], f"The credential {name} of connection {connection.name!r}")


def _symptom(value: str, subject: str) -> Iterator[Symptom]:
    if not is_reference(value):
        return
    try:
        resolve(value)
    except ReferenceMissing as exc:
        mend = (
            "Set the variable for web and workers (it begins with HUB_SECRET_), or put the file into HUB_SECRETS_DIR."
        )
        yield problem(f"{subject} cannot be had: {exc}.", mend)


def _mend(row: Endpoint) -> str:
    if waiting.delivers_secret(row):
        return "Let it wait for the provider to deliver it, on the endpoint's page in the admin."
    return "Add a secret on the endpoint's page in the admin, or set its state to disabled."
