"""The secrets of an endpoint in a configuration file: references. A stored value is neither written nor touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from rest_framework import serializers

from deliveries.configuration.entries import ADDITION, CHANGE, DELETION, note
from deliveries.configuration.errors import ConfigurationError
from deliveries.configuration.kind import texts
from integrations.api.serializers import SecretSerializer
from integrations.models import Endpoint, Secret
from integrations.references import is_reference

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_FIELDS = ("label", "value", "expires_at")


@dataclass
class SecretChanges:
    """What has to be done so that the references of an endpoint are those of the file."""

    ended: list[Secret] = field(default_factory=list)
    changed: list[tuple[Secret, dict[str, Any]]] = field(default_factory=list)
    added: list[dict[str, Any]] = field(default_factory=list)


def references(endpoint: Endpoint, *, now: datetime) -> list[Secret]:
    """Return the endpoint's live secrets that are references, the oldest first."""
    return [secret for secret in reversed(endpoint.secrets.live(now)) if is_reference(secret.value)]


def stored(endpoint: Endpoint, *, now: datetime) -> list[Secret]:
    """Return those whose value is stored, the oldest first; not the key pairs that the hub makes for test events."""
    live = reversed(endpoint.secrets.live(now))
    return [secret for secret in live if not is_reference(secret.value) and not secret.signing_key]


def written(secret: Secret) -> dict[str, Any]:
    """Return the file's entry of a secret that is a reference."""
    entry: dict[str, Any] = {"label": secret.label} if secret.label else {}
    entry["value"] = secret.value
    if secret.expires_at is not None:
        entry["expires_at"] = _as_text(secret.expires_at)
    return entry


def compare(entries: Any, endpoint: Endpoint | None, *, now: datetime) -> SecretChanges:
    """Return what has to change; an entry that has expired counts as not there. Raises `ConfigurationError`."""
    wanted = [entry for entry in _entered(entries) if entry["expires_at"] is None or entry["expires_at"] > now]
    present = references(endpoint, now=now) if endpoint else []
    changes = SecretChanges()
    for entry in wanted:
        match = next((secret for secret in present if secret.value == entry["value"]), None)
        if match is None:
            changes.added.append(entry)
            continue
        present.remove(match)
        different = {name: entry[name] for name in ("label", "expires_at") if getattr(match, name) != entry[name]}
        if different:
            changes.changed.append((match, different))
    changes.ended = present
    return changes


def shown(changes: SecretChanges) -> dict[str, tuple[Any, Any]]:
    """Return (before, after) by name, for the plan."""
    found: dict[str, tuple[Any, Any]] = {}
    for secret in changes.ended:
        found[f"secrets.{secret.value}"] = (secret.label or "live", None)
    for secret, different in changes.changed:
        for name, value in different.items():
            found[f"secrets.{secret.value}.{name}"] = (_as_text(getattr(secret, name)), _as_text(value))
    for entry in changes.added:
        found[f"secrets.{entry['value']}"] = (None, entry["label"] or "live")
    return found


def end(changes: SecretChanges, endpoint: Endpoint, *, by: User | None) -> None:
    """End those that the file no longer has."""
    for secret in changes.ended:
        secret.expires_at = timezone.now()
        secret.save(update_fields=["expires_at"])
        note(secret, DELETION, f"ended, of {endpoint.slug}.", by=by)


def make(changes: SecretChanges, endpoint: Endpoint, *, by: User | None) -> None:
    """Add and change; raises `serializers.ValidationError` for a reference that leads nowhere or does not fit."""
    for secret, different in changes.changed:
        for name, value in different.items():
            setattr(secret, name, value)
        secret.save(update_fields=list(different))
        note(secret, CHANGE, f"changed {', '.join(sorted(different))}, of {endpoint.slug}.", by=by)
    for entry in changes.added:
        serializer = SecretSerializer(data=entry, context={"endpoint": endpoint})
        try:
            serializer.is_valid(raise_exception=True)
        except serializers.ValidationError as exc:
            raise serializers.ValidationError({"secrets": exc.detail}) from exc
        note(serializer.save(endpoint=endpoint), ADDITION, f"added to {endpoint.slug}.", by=by)


def variable(slug: str, label: str) -> str:
    """Return a name for the variable in which an operator could keep the secret ``label`` of an endpoint."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", f"{slug} {label}").strip("_").upper()
    return f"HUB_SECRET_{words[:80]}"


def _entered(entries: Any) -> list[dict[str, Any]]:
    if not isinstance(entries, list):
        raise ConfigurationError(["secrets: has to be a list; [] means none"])
    found, problems = [], []
    for number, entry in enumerate(entries):
        try:
            found.append(_one(entry))
        except serializers.ValidationError as exc:
            problems += texts(exc, f"secrets.{number}")
    if problems:
        raise ConfigurationError(problems)
    return found


def _one(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise serializers.ValidationError("has to have a label and a value")
    fields = SecretSerializer().fields
    unknown = [str(name) for name in entry if name not in _FIELDS]
    if unknown:
        raise serializers.ValidationError({name[:100]: ["there is no such field"] for name in unknown})
    value = fields["value"].run_validation(entry.get("value", ""))
    if not is_reference(value):
        raise serializers.ValidationError(
            {"value": ["a secret does not belong in a file: write a reference, env:HUB_SECRET_NAME or file:NAME"]}
        )
    return {
        "label": fields["label"].run_validation(entry.get("label", "")),
        "value": value,
        "expires_at": fields["expires_at"].run_validation(entry.get("expires_at")),
    }


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
