"""What stands in place of a credential wherever it could be read, and the settings of an endpoint that are one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.providers import providers

MASK = "••••••"


def shown_settings(provider: str, settings: Any) -> Any:
    """Return an endpoint's settings as they may be shown, with `MASK` in place of each that is a credential.

    So is what the provider's schema does not name: without it nobody can tell what it is.
    """
    if not isinstance(settings, Mapping):
        return MASK
    preset = providers.get(provider)
    public = preset.public_settings if preset else frozenset()
    return {name: value if name in public else MASK for name, value in settings.items()}


def entered_settings(provider: str, entered: Any, *, stored: Any) -> Any:
    """Return what to save for settings as they were ``entered``: `MASK` keeps the credential that is ``stored``.

    Where none is stored it stays, for validation to refuse. ``provider`` is the one that the endpoint will have.
    """
    preset = providers.get(provider)
    if preset is None or not isinstance(entered, Mapping) or not isinstance(stored, Mapping):
        return entered
    kept = {name for name in preset.secret_settings if entered.get(name) == MASK and name in stored}
    return {name: stored[name] if name in kept else value for name, value in entered.items()}
