"""What an operator may enter: checks shared by the admin, the API and the command line."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from jmespath.exceptions import JMESPathError

from integrations.errors import ReferenceMissing
from integrations.handlers import handlers
from integrations.masking import MASK
from integrations.providers import providers
from integrations.references import resolve
from integrations.retry import RETRY_SCHEMA, RetryPolicy
from integrations.routing import compiled
from integrations.schemas import check_schema, is_storable

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_LONGEST_EVENT_TYPE = 255


def default_retry() -> dict[str, Any]:
    """Return the retry policy of a new route, as it is stored."""
    return RetryPolicy().as_json()


def validate_provider(value: str) -> None:
    """Refuse a provider that has no preset."""
    if value not in providers:
        raise ValidationError(gettext("There is no provider %(value)s.") % {"value": repr(value)})


def validate_provider_settings(provider: str, value: Any) -> None:
    """Check an endpoint's settings against its provider's schema; unknown names are refused."""
    preset = providers.get(provider)
    if preset is None:
        return
    check_schema(value, preset.settings_schema, field="settings")
    masked = sorted(name for name in preset.secret_settings if value.get(name) == MASK)
    if masked:
        raise ValidationError(
            {
                "settings": gettext("%(names)s: no value is stored that the mask could stand for")
                % {"names": ", ".join(masked)}
            }
        )
    for name in preset.secret_settings & value.keys():
        try:
            resolve(value[name])
        except ReferenceMissing as exc:
            raise ValidationError({"settings": f"{name}: {exc}"}) from exc
    try:
        preset.scheme_for(value)
        preset.check_settings(value)
    except ValueError as exc:
        raise ValidationError({"settings": str(exc)}) from exc


def validate_shared_url(provider: str, settings: Any, *, shared_url: bool) -> None:
    """Refuse the shared URL to an endpoint whose requests have no header that tells them from others.

    The settings have been checked before.
    """
    preset = providers.get(provider)
    if shared_url and preset is not None and not preset.recognised_headers(settings):
        raise ValidationError(
            {"shared_url": gettext("Requests of this provider cannot be recognised by their headers.")}
        )


def validate_handler(value: str) -> None:
    """Refuse a handler that no installed app registers."""
    if value not in handlers:
        raise ValidationError(gettext("There is no handler %(value)s.") % {"value": repr(value)})


def validate_handler_config(handler: str, value: Any) -> None:
    """Check a route's config against its handler's schema, and those of the handlers that it runs as its parts."""
    if messages := _wrong_config(handler, value):
        raise ValidationError({"config": messages})


def _wrong_config(handler: str, value: Any) -> list[str]:
    registered = handlers.get(handler)
    if registered is None:
        return []
    try:
        check_schema(value, registered.config_schema)
    except ValidationError as exc:
        return list(exc.messages)
    parts = registered.parts(value) if registered.parts else []
    wrong = [f"{part.place}/{text}" for part in parts for text in _wrong_config(part.handler, part.config)]
    return wrong or (registered.check(value) if registered.check else [])


def validate_networks(value: Any) -> None:
    """Refuse anything but a list of networks."""
    _texts(value)
    for item in value:
        try:
            ip_network(item)
        except ValueError as exc:
            raise ValidationError(_no_network(item)) from exc


def validate_content_types(value: Any) -> None:
    """Refuse anything but a list of media types, lower-case and without parameters."""
    _texts(value)
    for item in value:
        if not _MEDIA_TYPE.fullmatch(item):
            raise ValidationError(
                gettext("%(item)s is not a media type such as application/json.") % {"item": repr(item)}
            )


def validate_event_globs(value: Any) -> None:
    """Refuse anything but a list of event types or globs."""
    _texts(value)
    for item in value:
        if not item or item != item.strip():
            raise ValidationError(gettext("An event type is not empty and has no white space around it."))
        if len(item) > _LONGEST_EVENT_TYPE:
            raise ValidationError(
                gettext("An event type has at most %(longest)s characters.") % {"longest": _LONGEST_EVENT_TYPE}
            )


def validate_jmespath(value: str) -> None:
    """Refuse what is not a JMESPath, and say where it goes wrong."""
    try:
        compiled(value)
    except JMESPathError as exc:
        raise ValidationError(gettext("Not a JMESPath expression: %(why)s") % {"why": exc}) from exc


def validate_dedupe(value: str) -> None:
    """Accept "id", "body" or a JMESPath."""
    if value not in {"id", "body"}:
        validate_jmespath(value)


def validate_retry(value: Any) -> None:
    """Check a retry policy."""
    check_schema(value, RETRY_SCHEMA)


def _texts(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) and is_storable(item) for item in value):
        raise ValidationError(gettext("This has to be a list of texts."))


def _no_network(item: str) -> str:
    try:
        return f"{item!r} is an address within the network {ip_network(item, strict=False)}; name one of the two."
    except ValueError:
        return f"{item!r} is not a network such as 192.0.2.0/24."
