"""The one place that writes the audit log: who did what, from where, and what it was before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Field, Model
from django.http import HttpRequest
from django.utils import timezone

from deliveries.models import Action, AuditEntry
from deliveries.models.sealing import MASK, is_credential, storable, storable_json
from deliveries.receiving.source import client_address
from integrations.encryption import EncryptedTextField
from integrations.masking import shown_settings
from integrations.models import Endpoint

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Person = User | AnonymousUser

__all__ = [
    "Action",
    "Origin",
    "coming_from",
    "difference",
    "kind_of",
    "origin_of",
    "record",
    "record_all",
    "replaced",
    "snapshot",
]

#: Where a noun of the hub is not the model's name.
_KINDS = {
    "auth.group": "role",
    "deliveries.acceptonly": "accept_only",
    "integrations.endpointgroup": "endpoint_group",
    "knox.authtoken": "token",
}
#: Columns whose change says nothing.
_LEFT_OUT = frozenset({"created_at", "updated_at", "last_login", "last_used_at", "date_joined", "handshake_at"})
#: What is kept of a text, and of a value in JSON.
_LONGEST = 2000
_CHANGED = f"{MASK} (changed)"
_BATCH = 500


@dataclass(frozen=True)
class Origin:
    """Where an order came from: ``via`` is ``admin``, ``api``, ``command`` or ``hub``; ``source`` an address or ""."""

    via: str = "command"
    source: str = ""
    request_id: str = ""


_COMMAND = Origin()
_origin: ContextVar[Callable[[], Origin]] = ContextVar("origin", default=lambda: _COMMAND)


def origin_of(request: HttpRequest) -> Origin:
    """Return where ``request`` comes from."""
    address = client_address(request)
    area = request.path_info.lstrip("/").partition("/")[0]
    via = {"api": "api", "admin": "admin"}.get(area, "hub")
    return Origin(via, "" if address is None else str(address), getattr(request, "request_id", ""))


@contextmanager
def coming_from(origin: Origin | HttpRequest) -> Iterator[None]:
    """Note ``origin``, or that of a request, with whatever is recorded within.

    A request is looked at only where something is: of the very most nothing is recorded.
    """
    token = _origin.set(lambda: origin if isinstance(origin, Origin) else origin_of(origin))
    try:
        yield
    finally:
        _origin.reset(token)


def record(
    action: Action,
    row: Model | None = None,
    *,
    by: Person | None,
    message: str = "",
    change: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None),
    via: str = "",
    who: str = "",
    now: datetime | None = None,
) -> None:
    """Note that ``by`` did ``action`` to ``row``, in the transaction that does it.

    ``message`` holds no values, as they may be secrets; ``change`` is what `difference` returned. ``who`` is a name
    where there is no user, ``via`` overrides where the surrounding request came from.
    """
    entry = _entry(action, row, by=by, message=message, via=via, who=who, now=now)
    entry.before, entry.after = change
    entry.save(force_insert=True)


def record_all(action: Action, rows: Iterable[Model], *, by: Person, message: str = "", via: str = "") -> None:
    """Note with each of ``rows`` that ``by`` did ``action`` to it."""
    now = timezone.now()
    entries = [_entry(action, row, by=by, message=message, via=via, now=now) for row in rows]
    AuditEntry.objects.bulk_create(entries, batch_size=_BATCH)


def kind_of(model: type[Model] | Model) -> str:
    """Return the noun under which the log has rows of ``model``."""
    return _KINDS.get(model._meta.label_lower, model._meta.model_name or "")


def snapshot(row: Model) -> dict[str, Any]:
    """Return the columns of ``row`` as they are, for a later `difference`; secrets too, so it is not for keeping."""
    values = {field.name: _value(row, field) for field in _columns(row)}
    for relation in row._meta.many_to_many:
        values[relation.name] = sorted(map(str, getattr(row, relation.name).all())) if row.pk else []
    return values


def difference(
    row: Model, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return what differs between two snapshots of ``row`` as it may be read; None for the side that is not there."""
    if before is None or after is None:
        return _shown(row, before), _shown(row, after)
    names = [name for name in after if name in before and before[name] != after[name]]
    old = _shown(row, {name: before[name] for name in names}) or {}
    new = _shown(row, {name: after[name] for name in names}) or {}
    for name in names:
        if old[name] == new[name]:  # the difference is in what is masked
            new[name] = _marked(new[name], before[name], after[name])
    return old, new


def replaced(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the difference where a secret called ``name`` has made way for another: that it has, and neither."""
    return {name: MASK}, {name: _CHANGED}


def _entry(
    action: Action,
    row: Model | None,
    *,
    by: Person | None,
    message: str,
    via: str,
    who: str = "",
    now: datetime | None,
) -> AuditEntry:
    origin = _origin.get()()
    known = by if by is not None and by.is_authenticated else None
    return AuditEntry(
        at=now or timezone.now(),
        who=storable(known.get_username() if known else who, 150),
        user_id=known.pk if known else None,
        via=via.lower() or origin.via,
        source=origin.source,
        request_id=origin.request_id,
        action=action,
        object_type=kind_of(row) if row is not None else "",
        object_id=_id_of(row) if row is not None else "",
        object_name=storable(_name_of(row), 200) if row is not None else "",
        endpoint_id=_endpoint_of(row),
        message=storable(message, 500),
    )


def _id_of(row: Model) -> str:
    # The key of a token row is its digest; what everybody is shown of a token is its beginning.
    return row.token_key[:8] if kind_of(row) == "token" else str(row.pk)  # type: ignore[attr-defined]


def _name_of(row: Model) -> str:
    return f"of {row.user}" if kind_of(row) == "token" else str(row)  # type: ignore[attr-defined]


def _endpoint_of(row: Model | None) -> UUID | None:
    found: UUID | None = row.pk if isinstance(row, Endpoint) else getattr(row, "endpoint_id", None)
    return found


def _columns(row: Model) -> list[Field[Any, Any]]:
    return [field for field in row._meta.concrete_fields if not field.primary_key and field.name not in _LEFT_OUT]


def _value(row: Model, field: Field[Any, Any]) -> Any:
    if field.is_relation:
        related = getattr(row, field.name)
        return None if related is None else str(related)
    try:
        return getattr(row, field.name)
    except ImproperlyConfigured:  # encrypted under a key that is lost
        return MASK


def _shown(row: Model, values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: _readable(row, name, value) for name, value in values.items()}


def _readable(row: Model, name: str, value: Any) -> Any:
    field = row._meta.get_field(name)
    if isinstance(row, Endpoint) and name == "settings":
        return storable_json(shown_settings(row.provider, value))
    if isinstance(field, EncryptedTextField) or name == "password":
        return MASK if value else value
    return _bounded(_without_credentials(value))


def _without_credentials(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): MASK if item and is_credential(str(name)) else _without_credentials(item)
            for name, item in value.items()
        }
    return [_without_credentials(item) for item in value] if isinstance(value, list) else value


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value, _LONGEST)
    if isinstance(value, bytes | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping | list):
        kept = storable_json(value)
        return kept if len(str(kept)) <= _LONGEST else f"{str(kept)[:_LONGEST]}…"
    return value


def _marked(shown: Any, before: Any, after: Any) -> Any:
    """Return what is shown of a changed value, with a word at that of it which is masked and has changed."""
    if isinstance(shown, dict) and isinstance(before, Mapping) and isinstance(after, Mapping):
        return {
            name: _marked(item, before.get(name), after.get(name)) if before.get(name) != after.get(name) else item
            for name, item in shown.items()
        }
    return _CHANGED if shown == MASK else shown
