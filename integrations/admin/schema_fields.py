"""A JSON object as plain inputs, one for each property that its JSON Schema names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from integrations.admin.schema_parts import part_of
from integrations.schemas import needed

#: So deep an object within an object has inputs of its own; what is deeper is written as JSON.
_DEPTH = 2


class SchemaField(forms.Field):
    """An object of the given schema; a property that is left empty is left out. The schema itself is the model's.

    ``offered`` are values to choose from, by the ``format`` of a property: the names of connections, for one.
    """

    widget: SchemaWidget

    def __init__(
        self,
        schema: Mapping[str, Any],
        *,
        offered: Mapping[str, Collection[str]] | None = None,
        depth: int = _DEPTH,
        **kwargs: Any,
    ) -> None:
        required, first = schema.get("required", ()), needed(schema)
        # What is needed comes first; the rest stays in the schema's order.
        names = sorted(schema.get("properties", {}), key=lambda name: name not in first)
        self.schema = schema
        self.parts = {name: self._part(schema["properties"][name], name in required, offered, depth) for name in names}
        super().__init__(**{"required": False, "widget": SchemaWidget(self.parts, first), **kwargs})

    def _part(
        self, schema: Mapping[str, Any], required: bool, offered: Mapping[str, Collection[str]] | None, depth: int
    ) -> forms.Field:
        if depth > 1 and schema.get("type") == "object" and schema.get("properties"):
            return SchemaField(schema, offered=offered, depth=depth - 1, help_text=str(schema.get("description", "")))
        return part_of(schema, required=required, offered=(offered or {}).get(schema.get("format", ""), ()))

    def clean(self, value: Any) -> dict[str, Any]:
        """Return the object; raises `ValidationError` with what is wrong at which property."""
        kept, problems = {}, []
        for name, part in self.parts.items():
            try:
                entered = part.clean(value.get(name))
            except ValidationError as exc:
                joint = "/" if isinstance(part, SchemaField) else ": "
                problems += [f"{name}{joint}{text}" for text in exc.messages]
                continue
            if entered not in (None, "", [], {}):
                kept[name] = entered
        if problems:
            raise ValidationError(problems)
        return kept

    def entered(self, value: Any) -> dict[str, Any]:
        """Return what was entered, as far as it goes: what is wrong at a property stays the text that it is."""
        kept = {}
        for name, part in self.parts.items():
            given = value.get(name)
            try:
                found = part.entered(given) if isinstance(part, SchemaField) else part.clean(given)
            except ValidationError:
                found = given
            if found not in (None, "", [], {}):
                kept[name] = found
        return kept

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed, so that a mistake can be mended."""
        before = initial if isinstance(initial, Mapping) else {}
        return {name: part.bound_data(data.get(name), before.get(name)) for name, part in self.parts.items()}

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether anything was entered that was not there."""
        try:
            return self.clean(data) != (initial or {})
        except ValidationError:
            return True

    def as_data(self, name: str, value: Mapping[str, Any]) -> dict[str, str]:
        """Return what a browser would send, had it been given ``value``."""
        sent = {}
        for each, part in self.parts.items():
            found = value.get(each)
            if isinstance(part, SchemaField):
                sent.update(part.as_data(f"{name}-{each}", found if isinstance(found, Mapping) else {}))
            elif (shown := part.prepare_value(found)) is not None:
                sent[f"{name}-{each}"] = str(shown)
        return sent

    def holds(self, value: Any) -> bool:
        """Return whether the inputs can show all of ``value``: nothing is lost when they are saved as they are."""
        if not isinstance(value, Mapping) or not self.shows_all:
            return False
        sent = QueryDict(mutable=True)
        for name, text in self.as_data("value", value).items():
            sent[name] = text
        back = self.entered(self.widget.value_from_datadict(sent, {}, "value"))
        return bool(back == _without_empty(value))

    @property
    def shows_all(self) -> bool:
        """Whether no property is ``writeOnly``: such a one cannot be shown, and would be lost."""
        return not any(schema.get("writeOnly") for schema in self.schema.get("properties", {}).values())


class SchemaWidget(forms.Widget):
    """The inputs of a `SchemaField`; those that have to be filled in first, the others folded below if there are many.

    A property that is ``writeOnly`` is never shown again. ``errors`` are shown at the property that they are about.
    """

    def __init__(self, parts: Mapping[str, forms.Field], first: Collection[str] = ()) -> None:
        super().__init__()
        self.parts = parts
        self.first = first
        self.errors: dict[str, list[str]] = {}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, Any]:
        """Return what was entered, by property."""
        return {
            each: part.widget.value_from_datadict(data, files, f"{name}-{each}") for each, part in self.parts.items()
        }

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Return False: with nothing entered it is an empty object."""
        return False

    def id_for_label(self, id_: str) -> str:
        """Return "": each input has a label of its own."""
        return ""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the inputs with their labels."""
        found = value if isinstance(value, Mapping) else {}
        rows = [self._row(name, each, part, found.get(each)) for each, part in self.parts.items()]
        first = [row for row in rows if row["name"] in self.first]
        others = [row for row in rows if row["name"] not in self.first]
        entered = any(found.get(row["name"]) or row["errors"] for row in others)
        return render_to_string(
            "admin/integrations/schema_fields.html",
            {"needed": first, "others": others, "is_open": entered or (not first and len(others) < 4)},
        )

    def _row(self, name: str, each: str, part: forms.Field, value: Any) -> dict[str, Any]:
        id_, errors = f"id_{name}-{each}", self.errors.get(each, [])
        described = [f"{id_}-help"] * bool(part.help_text) + [f"{id_}-errors"] * bool(errors)
        attrs = {
            "id": id_,
            "required": part.required,
            **({"aria-describedby": " ".join(described)} if described else {}),
            **({"aria-invalid": "true"} if errors else {}),
        }
        is_group = isinstance(part, SchemaField)
        if is_group:
            part.widget.errors = _below(errors)
        inputs = part.widget.render(f"{name}-{each}", part.prepare_value(value), attrs)
        own = [text for text in errors if not is_group or "/" not in text.partition(": ")[0]]
        return {"name": each, "id": id_, "part": part, "input": inputs, "errors": own, "is_group": is_group}


def by_property(texts: Collection[str], field: SchemaField) -> tuple[dict[str, list[str]], list[str]]:
    """Return what `check_schema` and `SchemaField.clean` say, by the property that it is about, and the rest."""
    found: dict[str, list[str]] = {}
    rest = []
    for text in texts:
        names = [name for name in _named_in(text) if name in field.parts]
        for name in names:
            found.setdefault(name, []).append(text.removeprefix(name).removeprefix("/").removeprefix(": "))
        rest += [] if names else [text]
    return found, rest


def _named_in(text: str) -> list[str]:
    if text.endswith(" is missing") and ":" not in text:
        return text.removesuffix(" is missing").split(", ")
    return [text.partition(": ")[0].partition("/")[0]] if ": " in text else []


def _below(texts: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        place, joint, said = text.partition(": ")
        name, _, deeper = place.partition("/")
        if joint:
            found.setdefault(name, []).append(f"{deeper}: {said}" if deeper else said)
    return found


def _without_empty(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {name: _without_empty(item) for name, item in value.items()}
    return {name: item for name, item in kept.items() if item not in (None, "", [], {})}
