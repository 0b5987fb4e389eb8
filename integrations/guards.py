"""What nobody may enter, lest somebody reads a secret, or takes a request, that is not for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured, ValidationError

from integrations.models import Endpoint, groups_of
from integrations.providers import providers
from integrations.references import is_reference

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: To see what sensitive endpoints received. The name of a permission of the other app, as users and roles have it.
MAY_REVEAL = "deliveries.reveal_event"

_STAYS_SENSITIVE = "What was received would be open to all: only who may reveal it can take the mark away."
_END_FIRST = "End the live secrets first: they belong to the present provider."
_NO_REFERENCES = "You are restricted to groups, and a reference could lead to another group's secret: enter the secret."
_NO_SHARED_URL = (
    "You are restricted to groups, and at the shared URL the endpoint would be tried with others' requests."
)


def guard_secrets(before: Endpoint, *, provider: str, settings: Any, now: datetime) -> None:
    """Raise `ValidationError` if with the new ``provider`` and ``settings`` others could read the live secrets.

    A provider's secret goes to no other, and no setting makes the secret itself the proof: that is in what is sent.
    """
    changes_provider = before.provider != provider
    if not changes_provider and (_shows_key(before.provider, before.settings) or not _shows_key(provider, settings)):
        return
    if before.secrets.live(now).exists():
        raise ValidationError({"provider" if changes_provider else "settings": _END_FIRST})


def guard_reference(user: Person, value: Any) -> None:
    """Raise `ValidationError` for a reference to a secret by ``user`` who is restricted to groups."""
    if isinstance(value, str) and is_reference(value) and groups_of(user) is not None:
        raise ValidationError(_NO_REFERENCES)


def guard_settings(user: Person, *, provider: str, settings: Any, stored: Mapping[str, Any]) -> None:
    """Raise `ValidationError` for a reference in ``settings`` that ``user`` may not enter; what is ``stored`` stays."""
    preset = providers.get(provider)
    if preset is None or not isinstance(settings, Mapping):
        return
    for name in sorted(preset.secret_settings & settings.keys()):
        if settings[name] != stored.get(name):
            try:
                guard_reference(user, settings[name])
            except ValidationError as exc:
                raise ValidationError({"settings": f"{name}: {exc.message}"}) from exc


def guard_shared_url(user: Person, *, before: bool, after: bool) -> None:
    """Raise `ValidationError` if ``user``, restricted to groups, switches the shared URL on."""
    if after and not before and groups_of(user) is not None:
        raise ValidationError({"shared_url": _NO_SHARED_URL})


def guard_sensitive(user: Person, *, before: bool, after: bool) -> None:
    """Raise `ValidationError` if ``user``, who may not reveal what is sensitive, makes it no longer so."""
    if before and not after and not user.has_perm(MAY_REVEAL):
        raise ValidationError({"sensitive": _STAYS_SENSITIVE})


def _shows_key(provider: str, settings: Any) -> bool:
    """Return whether the proof is the secret itself; False where it cannot be known, as nothing is proven then."""
    preset = providers.get(provider)
    try:
        return preset is not None and preset.scheme_for(settings).shows_key
    except (ValueError, ImproperlyConfigured):
        return False
