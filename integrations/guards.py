"""What nobody may enter, lest somebody reads a secret, or takes a request, that is not for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils.translation import gettext, gettext_noop

from integrations.handlers import handlers
from integrations.models import Connection, Endpoint, groups_of
from integrations.providers import providers
from integrations.references import is_reference

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

#: To see what sensitive endpoints received. The name of a permission of the other app, as users and roles have it.
MAY_REVEAL = "deliveries.reveal_event"

_STAYS_SENSITIVE = gettext_noop(
    "What was received would be open to all: only who may reveal it can take the mark away."
)
_END_FIRST = gettext_noop("End the live secrets first: they belong to the present provider.")
_ENTER_AGAIN = gettext_noop("Enter the credentials again: they belong to the present address and proof.")
_NO_EGRESS = gettext_noop("You are restricted to groups, and a private network is shared with others: ask who is not.")
_NO_PROXY = gettext_noop("You are restricted to groups, and a proxy sees what is sent through it: ask who is not.")
_NO_FOLDER = gettext_noop(
    "You are restricted to groups, and a folder of this machine is shared with others: ask who is not."
)
_NO_REFERENCES = gettext_noop(
    "You are restricted to groups, and a reference could lead to another group's secret: enter the secret."
)
_NO_NEW_REFERENCE = gettext_noop(
    "You are restricted to groups, and a reference could lead to another group's secret: ask who is not."
)
_NO_SHARED_URL = gettext_noop(
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
        raise ValidationError({"provider" if changes_provider else "settings": gettext(_END_FIRST)})


def guard_reference(user: Person, value: Any) -> None:
    """Raise `ValidationError` for a reference to a secret by ``user`` who is restricted to groups."""
    if isinstance(value, str) and is_reference(value) and groups_of(user) is not None:
        raise ValidationError(gettext(_NO_REFERENCES))


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
        raise ValidationError({"shared_url": gettext(_NO_SHARED_URL)})


def guard_sensitive(user: Person, *, before: bool, after: bool) -> None:
    """Raise `ValidationError` if ``user``, who may not reveal what is sensitive, makes it no longer so."""
    if before and not after and not user.has_perm(MAY_REVEAL):
        raise ValidationError({"sensitive": gettext(_STAYS_SENSITIVE)})


def guard_credentials(before: Connection, after: Connection, *, entered: bool) -> None:
    """Raise `ValidationError` if ``after`` sends stored credentials to another place, or in another form.

    Who may change a connection must not be able to read its credentials by pointing it at a server of their own.
    ``entered`` is whether they were all entered with the change.
    """
    if before.credentials and not entered and before.destinations != after.destinations:
        raise ValidationError({"credentials": gettext(_ENTER_AGAIN)})


def guard_connection(user: Person, before: Connection, after: Connection) -> None:
    """Raise `ValidationError` for what ``user``, restricted to groups, may not enter; what is there stays."""
    if groups_of(user) is None:
        return
    if after.egress and after.egress != before.egress:
        raise ValidationError({"egress": gettext(_NO_EGRESS)})
    if after.proxy and after.proxy != before.proxy:
        raise ValidationError({"proxy": gettext(_NO_PROXY)})
    if after.kind == "folder" and (after.kind, after.base_url) != (before.kind, before.base_url):
        raise ValidationError({"kind": gettext(_NO_FOLDER)})
    stored = before.credentials
    for name, value in after.credentials.items() if isinstance(after.credentials, Mapping) else ():
        if value != stored.get(name):
            try:
                guard_reference(user, value)
            except ValidationError as exc:
                raise ValidationError({"credentials": f"{name}: {exc.message}"}) from exc


def guard_named(user: Person | None, *, handler: str, config: Any, stored: tuple[str, Any]) -> None:
    """Raise `ValidationError` for a connection or an endpoint named in a route's ``config`` that ``user`` cannot see.

    Their events would be sent with another group's credentials, or to another group's endpoint; so it is with a
    reference to a secret. What is named in the ``stored`` handler and config stays: a text that the handler of before
    took for something else is not named there. None is nobody restricted.
    """
    for name in named_connections(handler, config):
        connections = Connection.objects.live().filter(name=name)
        if name not in named_connections(*stored) and not _seen(user, connections):
            raise ValidationError({"config": gettext("There is no connection %(name)s.") % {"name": repr(name)}})
    for slug in _named(handler, config, "endpoint"):
        endpoints = Endpoint.objects.live().filter(slug=slug)
        if slug not in _named(*stored, "endpoint") and not _seen(user, endpoints):
            raise ValidationError({"config": gettext("There is no endpoint %(slug)s.") % {"slug": repr(slug)}})
    for reference in _named(handler, config, "reference"):
        if user is not None and groups_of(user) is not None and reference not in _named(*stored, "reference"):
            raise ValidationError({"config": gettext(_NO_NEW_REFERENCE)})


def _seen(user: Person | None, rows: Any) -> bool:
    return bool((rows if user is None else rows.visible_to(user)).exists())


def named_connections(handler: str, config: Any) -> list[str]:
    """Return the names of connections in a route's ``config``: properties of the schema's format "connection".

    Those of the steps of a flow are among them.
    """
    return _named(handler, config, "connection")


def _named(handler: str, config: Any, form: str) -> list[str]:
    entry = handlers.get(handler)
    if entry is None or not isinstance(config, Mapping):
        return []
    properties = entry.config_schema.get("properties", {})
    found = [config.get(name) for name, schema in properties.items() if schema.get("format") == form]
    own = [name for name in found if isinstance(name, str) and name]
    parts = entry.parts(config) if entry.parts else []
    return list(dict.fromkeys([*own, *(name for part in parts for name in _named(part.handler, part.config, form))]))


def _shows_key(provider: str, settings: Any) -> bool:
    """Return whether the proof is the secret itself; False where it cannot be known, as nothing is proven then."""
    preset = providers.get(provider)
    try:
        return preset is not None and preset.scheme_for(settings).shows_key
    except (ValueError, ImproperlyConfigured):
        return False
