"""A JSON object as plain inputs, one for each property that its JSON Schema names."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from integrations.admin.fields import JsonObjectField, LinesField, WriteOnlyTextarea
from integrations.schemas import needed


class SchemaField(forms.Field):
    """An object of the given schema; a property that is left empty is left out. The schema itself is the model's."""

    def __init__(self, schema: Mapping[str, Any], **kwargs: Any) -> None:
        required, first = schema.get("required", ()), needed(schema)
        # What is needed comes first; the rest stays in the schema's order.
        names = sorted(schema.get("properties", {}), key=lambda name: name not in first)
        self.parts = {name: _part(schema["properties"][name], required=name in required) for name in names}
        super().__init__(**{"required": False, "widget": SchemaWidget(self.parts, first), **kwargs})

    def clean(self, value: Any) -> dict[str, Any]:
        """Return the object; raises `ValidationError` with what is wrong at which property."""
        kept, problems = {}, []
        for name, part in self.parts.items():
            try:
                entered = part.clean(value.get(name))
            except ValidationError as exc:
                problems += [f"{name}: {text}" for text in exc.messages]
                continue
            if entered not in (None, "", [], {}):
                kept[name] = entered
        if problems:
            raise ValidationError(problems)
        return kept

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether anything was entered that was not there."""
        try:
            return self.clean(data) != (initial or {})
        except ValidationError:
            return True


class SchemaWidget(forms.Widget):
    """The inputs of a `SchemaField`; those that have to be filled in first, the others folded below if there are many.

    A property that is ``writeOnly`` is never shown again.
    """

    def __init__(self, parts: Mapping[str, forms.Field], first: Collection[str] = ()) -> None:
        super().__init__()
        self.parts = parts
        self.first = first

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
        rows = [
            {
                "name": each,
                "id": f"id_{name}-{each}",
                "part": part,
                "input": part.widget.render(
                    f"{name}-{each}",
                    part.prepare_value(found.get(each)),
                    {
                        "id": f"id_{name}-{each}",
                        "required": part.required,
                        **({"aria-describedby": f"id_{name}-{each}-help"} if part.help_text else {}),
                    },
                ),
            }
            for each, part in self.parts.items()
        ]
        first = [row for row in rows if row["name"] in self.first]
        others = [row for row in rows if row["name"] not in self.first]
        entered = any(found.get(row["name"]) for row in others)
        return render_to_string(
            "admin/integrations/schema_fields.html",
            {"needed": first, "others": others, "is_open": entered or (not first and len(others) < 4)},
        )


def _part(schema: Mapping[str, Any], *, required: bool) -> forms.Field:
    """Return the field of one property."""
    options: dict[str, Any] = {"required": required, "help_text": _help(schema)}
    kind = schema.get("type")
    if "enum" in schema:
        return _choice([(str(value), value) for value in schema["enum"]], **options)
    if kind == "boolean":
        return _choice([("yes", True), ("no", False)], **options)
    if kind in {"integer", "number"}:
        number = forms.IntegerField if kind == "integer" else forms.FloatField
        return number(widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}), **options)
    if kind == "array" and schema.get("items", {}).get("type") == "string":
        return LinesField(rows=2, **{**options, "help_text": f"{options['help_text']} One a line.".strip()})
    if kind == "string" and schema.get("writeOnly"):
        return forms.CharField(widget=WriteOnlyTextarea(attrs={"rows": 1, "autocomplete": "off"}), **options)
    if kind == "string":
        return forms.CharField(widget=UnfoldAdminTextInputWidget(), max_length=schema.get("maxLength"), **options)
    return JsonObjectField(rows=3, **{**options, "help_text": f"{options['help_text']} As JSON.".strip()})


def _choice(choices: list[tuple[str, Any]], *, required: bool, help_text: str) -> forms.TypedChoiceField:
    values = dict(choices)
    shown = [(text, text) for text in values]
    return forms.TypedChoiceField(
        choices=shown if required else [("", "as usual"), *shown],
        coerce=values.__getitem__,
        empty_value=None,
        required=required,
        help_text=help_text,
        widget=UnfoldAdminSelectWidget,
    )


def _help(schema: Mapping[str, Any]) -> str:
    text = str(schema.get("description") or schema.get("title") or "").rstrip(".")
    text = text[:1].upper() + text[1:] + "." if text else ""
    if "default" in schema:
        text += f" As usual: {json.dumps(schema['default'], ensure_ascii=False)}."
    return text.strip()
