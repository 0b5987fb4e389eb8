"""The input of one property of a JSON Schema: a choice, a number, a text, lines, or JSON for what is deeper."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from integrations.admin.fields import JsonObjectField, LinesField, WriteOnlyTextarea

#: A text that can be longer than that is written in several lines.
_LONG = 1000


class ChoiceOf(forms.TypedChoiceField):
    """One of the values of an enumeration, or yes and no; None where nothing is chosen."""

    def __init__(self, values: Mapping[str, Any], **kwargs: Any) -> None:
        self._texts = {json.dumps(value): text for text, value in values.items()}
        shown = [(text, text) for text in values]
        choices = shown if kwargs.get("required") else [("", gettext("as usual")), *shown]
        super().__init__(
            choices=choices,
            coerce=values.__getitem__,
            empty_value=None,
            widget=UnfoldAdminSelectWidget,
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        """Return the choice of a stored value; what was typed is one already."""
        return self._texts.get(json.dumps(value, default=str), value)


class TextField(forms.CharField):
    """A text of several lines, as it was written."""

    def __init__(self, *, rows: int, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "class": "hub-code", "spellcheck": "false"})
        super().__init__(strip=False, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        """Return the text with the line breaks of JSON, not those of a form."""
        text: str = super().to_python(value) or ""
        return text.replace("\r\n", "\n")


class PairsField(LinesField):
    """An object of texts: ``name: text``, one a line."""

    def prepare_value(self, value: Any) -> Any:
        """Return the lines of a stored object."""
        return "\n".join(f"{name}: {text}" for name, text in value.items()) if isinstance(value, Mapping) else value

    def clean(self, value: Any) -> Any:
        """Return the object of the lines."""
        found = {}
        for line in super().clean(value):
            name, colon, text = line.partition(":")
            if not colon or not name.strip():
                raise ValidationError(gettext("Each line has a name, a colon and a value."))
            found[name.strip()] = text.strip()
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare the objects."""
        try:
            return bool(self.clean(data) != (initial or {}))
        except ValidationError:
            return True


def part_of(schema: Mapping[str, Any], *, required: bool, offered: Collection[str] = ()) -> forms.Field:
    """Return the field of one property; ``offered`` are texts to choose from, where there are any."""
    options: dict[str, Any] = {"required": required, "help_text": _help(schema)}
    kind = schema.get("type")
    if "enum" in schema:
        return ChoiceOf({str(value): value for value in schema["enum"]}, **options)
    if kind == "boolean":
        return ChoiceOf({"yes": True, "no": False}, **options)
    if kind in {"integer", "number"}:
        number = forms.IntegerField if kind == "integer" else forms.FloatField
        return number(widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}), **options)
    if kind == "array" and schema.get("items", {}).get("type") == "string":
        return LinesField(rows=2, **_with(options, gettext("One a line.")))
    if kind == "object" and _is_of_texts(schema):
        return PairsField(rows=3, **_with(options, gettext("One a line: a name, a colon, the value.")))
    if kind == "string":
        return _text(schema, offered, options)
    return JsonObjectField(rows=3, **_with(options, gettext("As JSON.")))


def _text(schema: Mapping[str, Any], offered: Collection[str], options: dict[str, Any]) -> forms.Field:
    longest = schema.get("maxLength")
    if schema.get("writeOnly"):
        return forms.CharField(widget=WriteOnlyTextarea(attrs={"rows": 1, "autocomplete": "off"}), **options)
    if offered:
        return OfferedField(offered, **options)
    if schema.get("contentMediaType") or (longest or 0) > 2 * _LONG:
        return TextField(rows=4, max_length=longest, **options)
    if schema.get("format") in {"jmespath", "template"} and (longest or 0) > _LONG:
        return TextField(rows=2, max_length=longest, **options)
    attrs = {"spellcheck": "false", "autocomplete": "off"}
    return forms.CharField(widget=UnfoldAdminTextInputWidget(attrs=attrs), max_length=longest, **options)


class OfferedField(forms.CharField):
    """A text out of those that are offered, or the one that is there already."""

    def __init__(self, offered: Collection[str], **kwargs: Any) -> None:
        self._offered = list(offered)
        super().__init__(widget=UnfoldAdminSelectWidget(choices=self._choices()), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Return the value, which stays a choice also where it is none of those offered."""
        self.widget.choices = self._choices(value)
        return value

    def _choices(self, value: Any = "") -> list[tuple[str, str]]:
        kept = [value] if isinstance(value, str) and value and value not in self._offered else []
        return [("", gettext("Choose one")), *((text, text) for text in [*self._offered, *kept])]


def _is_of_texts(schema: Mapping[str, Any]) -> bool:
    others = schema.get("additionalProperties")
    return not schema.get("properties") and isinstance(others, Mapping) and others.get("type") == "string"


def _with(options: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {**options, "help_text": f"{options['help_text']} {text}".strip()}


def _help(schema: Mapping[str, Any]) -> str:
    text = str(schema.get("description") or schema.get("title") or "").rstrip(".")
    text = text[:1].upper() + text[1:] + "." if text else ""
    if "default" in schema:
        usual = json.dumps(schema["default"], ensure_ascii=False)
        text += " " + gettext("As usual: %(value)s.") % {"value": usual}
    return text.strip()
