"""What every kind of thing in a configuration file has in common: its fields are those that the API writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import FieldDoesNotExist
from django.db.models import NOT_PROVIDED, Model, QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.fields import empty

from deliveries.configuration.errors import ConfigurationError
from integrations.api.checked import CheckedSerializer

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Item = Mapping[str, Any]
Key = tuple[Any, ...]


class Kind:
    """One list of the file, such as ``routes``: how its rows are found, compared, written and changed.

    The fields come from the API's serializer, so that a new field of a model is in the file as soon as the API has it.
    What an item leaves out has its default, as with the API's POST.
    """

    #: The name of the list in the file, and of one of its items.
    name: ClassVar[str]
    noun: ClassVar[str]
    serializer: ClassVar[type[CheckedSerializer[Any]]]
    #: The fields that tell items apart, in the file and in the database.
    identity: ClassVar[tuple[str, ...]]
    #: Whether the identity is one item's alone; else several are told apart by their order.
    unique: ClassVar[bool] = True
    #: Fields that are written even where they have their default.
    always: ClassVar[tuple[str, ...]] = ()
    #: Fields that the kind compares and changes itself.
    parts: ClassVar[tuple[str, ...]] = ()
    #: The column whose change also moves deliveries; "" if there is none.
    hold_field: ClassVar[str] = ""

    def rows(self) -> QuerySet[Any]:
        """Return the rows in service, in the order of the file."""
        raise NotImplementedError

    def fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields of an item besides its identity and its parts."""
        left_out = {*self.identity, *self.parts}
        return {name: field for name, field in self.all_fields.items() if not field.read_only and name not in left_out}

    @cached_property
    def all_fields(self) -> Mapping[str, serializers.Field[Any, Any, Any, Any]]:
        """The serializer's fields; made once, for that takes a millisecond."""
        return self.serializer().fields

    # -- identity -----------------------------------------------------------------------------------------------------
    def key(self, row: Any) -> Key:
        """Return what tells ``row`` apart."""
        fields = [self.all_fields[name] for name in self.identity]
        return tuple(field.to_representation(field.get_attribute(row)) for field in fields)

    def item_key(self, item: Item) -> Key:
        """Return what tells the file's ``item`` apart."""
        return tuple(str(item[name]) for name in self.identity)

    def label(self, key: Key) -> str:
        """Return the item's name for people."""
        return f"{self.noun} {' / '.join(map(str, key))}"

    def pairs(self, items: Iterable[Item], rows: Iterable[Any]) -> list[tuple[Key, Item | None, Any]]:
        """Return (key, item, row) for all; None stands for what the other side does not have.

        Of several with the same key the first belongs to the first, the second to the second.
        """
        waiting: dict[Key, list[Any]] = {}
        for row in rows:
            waiting.setdefault(self.key(row), []).append(row)
        found: list[tuple[Key, Item | None, Any]] = []
        for item in items:
            same = waiting.get(self.item_key(item), [])
            found.append((self.item_key(item), item, same.pop(0) if same else None))
        return found + [(key, None, row) for key, left in waiting.items() for row in left]

    # -- values -------------------------------------------------------------------------------------------------------
    def current(self, row: Any) -> dict[str, Any]:
        """Return the values of ``row`` as plain JSON."""
        return {name: plain(field, field.get_attribute(row)) for name, field in self.fields().items()}

    def entered(self, item: Item) -> dict[str, Any]:
        """Return the item's values in the form of `current`; raises `ConfigurationError`, which names the fields."""
        fields, values, problems = self.fields(), {}, []
        for name, value in item.items():
            if name in self.identity or name in self.parts:
                continue
            if name not in fields:
                problems.append(f"{name}: there is no such field")
                continue
            if isinstance(fields[name], serializers.RelatedField | serializers.ManyRelatedField):
                values[name] = value  # it may name what the same file makes: that is judged when it is applied
                continue
            try:
                values[name] = plain(fields[name], fields[name].run_validation(value))
            except serializers.ValidationError as exc:
                problems += [f"{name}: {text}" for text in texts(exc)]
        if problems:
            raise ConfigurationError(problems)
        return values

    def defaults(self, item: Item) -> dict[str, Any]:
        """Return the values of the fields that an item may leave out."""
        found = {}
        for name, field in self.fields().items():
            default = self.default_of(field)
            if default is not empty:
                found[name] = plain(field, default)
        return found

    def desired(self, item: Item, row: Any) -> dict[str, Any]:
        """Return the values that the row of ``item`` should have; ``row`` is None if there is none yet."""
        return {**self.defaults(item), **self.entered(item)}

    def patches(self, row: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what the serializer has to be given, one after the other, so that ``row`` gets ``values``."""
        return [values]

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``values`` as they may be shown."""
        return dict(values)

    # -- the parts of an item that are rows of their own --------------------------------------------------------------
    def part_changes(self, item: Item, row: Any) -> dict[str, tuple[Any, Any]]:
        """Return (before, after) by name for the item's parts that differ, fit to be shown."""
        return {}

    def end_parts(self, item: Item, row: Any, *, by: User | None) -> None:
        """End the parts of ``row`` that the item no longer has; called before the row itself changes."""

    def make_parts(self, item: Item, row: Any, *, by: User | None) -> None:
        """Make and change the parts of ``row`` that the item has; called after the row itself."""

    def move_deliveries(self, row: Any, *, by: User) -> None:
        """Hold or release the deliveries of ``row``, as its `hold_field` now says."""

    def warning(self, row: Any) -> str:
        """Return what an operator should know of ``row`` as it is now; "" if nothing."""
        return ""

    # -- the file and its schema --------------------------------------------------------------------------------------
    def written(self, row: Any) -> dict[str, Any]:
        """Return the item of ``row``: its identity, and what differs from the defaults."""
        identity = dict(zip(self.identity, self.key(row), strict=True))
        values = self.shown(self.current(row))
        defaults = self.defaults({**identity, **values})
        return identity | {
            name: value
            for name, value in values.items()
            if name in self.always or name not in defaults or value != defaults[name]
        }

    def comments(self, row: Any) -> list[str]:
        """Return lines that follow the item: what the file cannot hold, and how to give it."""
        return []

    def refine(self, schema: dict[str, Any], *, built_in: bool) -> None:
        """Complete the JSON Schema of an item, which has what the serializer says.

        ``built_in``: with what the hub itself brings along, and nothing of other installed apps.
        """

    def retire(self, row: Any) -> None:
        """Take ``row`` out of service; its history stays."""
        row.retire(now=timezone.now())

    def default_of(self, field: Any) -> Any:
        """Return the value of a field that is left out; `empty` if it has to be given."""
        if field.default is not empty:
            return field.default
        model: type[Model] = self.serializer.Meta.model
        try:
            column = model._meta.get_field(field.source)
        except FieldDoesNotExist:
            return empty
        if column.many_to_many:
            return []
        default = getattr(column, "default", NOT_PROVIDED)
        if default is not NOT_PROVIDED:
            return column.get_default()  # type: ignore[union-attr]
        if getattr(column, "null", False):
            return None
        return "" if getattr(column, "blank", False) and getattr(column, "empty_strings_allowed", False) else empty


def texts(exc: serializers.ValidationError, place: str = "") -> list[str]:
    """Return the messages of a validation, each with its place."""
    return [f"{at}: {text}" if at else text for at, text in _flat(exc.detail, place)]


def _flat(detail: Any, place: str) -> list[tuple[str, str]]:
    if isinstance(detail, Mapping):
        general = {"non_field_errors", "__all__"}
        pairs = [(place if name in general else f"{place}.{name}".strip("."), inner) for name, inner in detail.items()]
    elif isinstance(detail, list):
        pairs = [
            (f"{place}.{n}".strip(".") if isinstance(x, Mapping | list) else place, x) for n, x in enumerate(detail)
        ]
    else:
        return [(place, str(detail))]
    return [found for at, inner in pairs for found in _flat(inner, at)]


def plain(field: Any, value: Any) -> Any:
    """Return ``value`` as ``field`` shows it in JSON, names in alphabetical order: PostgreSQL has one of its own."""
    return None if value is None else _in_order(field.to_representation(value))


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value
