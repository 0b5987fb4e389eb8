"""The form of a route's own page: its config in inputs made of the chosen handler's schema, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms.utils import ErrorDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from integrations.admin.fields import JsonObjectField
from integrations.admin.forms import RouteForm, handler_defaults
from integrations.admin.schema_fields import SchemaField, SchemaWidget, by_property
from integrations.handlers import handlers
from integrations.models import Connection, Endpoint, Route

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: What names the form in which the config was written: a handler's key, this, or nothing where none was chosen.
SHOWN, ORDER = "config_form", "_config_as"
JSON = "json"
_LABEL = gettext_lazy("Handler's config")


class ConfigWidget(forms.Widget):
    """The inputs of a config, with the orders that exchange them: those of the chosen handler, or JSON."""

    def __init__(self, inner: forms.Widget, *, handler: str, as_json: bool, note: str = "") -> None:
        super().__init__()
        self.inner = inner
        self.handler, self.as_json, self.note = handler, as_json, note

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Return what was entered."""
        return self.inner.value_from_datadict(data, files, name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Return whether nothing was asked."""
        return self.inner.value_omitted_from_data(data, files, name)

    def id_for_label(self, id_: str) -> str:
        """Return the id of the only input, "" where each has a label of its own."""
        return self.inner.id_for_label(id_)

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the inputs and the orders."""
        entry = handlers.get(self.handler)
        context = {
            "inputs": self.inner.render(name, value, attrs, renderer),
            "shown": JSON if self.as_json else self.handler,
            "handler": entry,
            "as_json": self.as_json,
            "note": self.note,
            "has_form": entry is not None and _has_form(entry.config_schema),
            "is_bare": isinstance(self.inner, SchemaWidget) and not self.inner.parts,
        }
        return render_to_string("admin/integrations/route/config.html", context)


class RoutePageForm(RouteForm):
    """A route with the form of its handler. Choosing another handler, or JSON, asks again and saves nothing."""

    #: Whether the page is to be shown again with other inputs, and nothing to be saved.
    is_switching = False
    data: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asked_anew = False
        if "config" in self.fields:
            self._ask_config()

    def is_valid(self) -> bool:
        """Return whether there is something to be saved."""
        return super().is_valid() and not self.is_switching

    def full_clean(self) -> None:
        """Check what was entered; of a form that is exchanged only that the config has to be entered again."""
        if not self.is_switching:
            super().full_clean()
            self._mark()
            return
        self._errors, self.cleaned_data = ErrorDict(), {}
        if self._asked_anew:
            self.add_error(
                "handler", gettext("This handler wants a config of its own: fill it in below and save again.")
            )

    def _post_clean(self) -> None:
        errors: Any = self._errors
        said = list(errors.get("config", ()))
        super()._post_clean()  # type: ignore[misc]
        if said:  # the model says it once more, of the config as it is stored
            errors["config"] = self.error_class(said)

    # -- which inputs ------------------------------------------------------------------------------------------------
    def _ask_config(self) -> None:
        if not self.is_bound:
            chosen = self.instance.handler or self.initial.get("handler", "")
            self._put(chosen, self.initial.get("config") or {}, is_new=self.instance._state.adding)
            return
        chosen, shown = self.data.get("handler", self.instance.handler), self.data.get(SHOWN, JSON)
        order = self.data.get(ORDER, "")
        if order or shown not in {JSON, "", chosen}:
            self.is_switching, self._asked_anew = True, not order
            self._switch(chosen, shown, to_json=order == JSON)
            return
        field = schema_field(chosen, self.user) if shown != JSON else None
        self._set(field or JsonObjectField(rows=9, label=_LABEL), chosen, as_json=field is None)

    def _switch(self, chosen: str, shown: str, *, to_json: bool) -> None:
        """Put other inputs in the place of those that were filled in, with what was entered where it fits."""
        text = self.data.get("config", "")
        self.data = self.data.copy()
        try:
            value = entered_config(self.data, self.user)
        except ValueError:
            self.data[SHOWN] = JSON
            note = gettext("This is no JSON object yet: mend it before it is shown in a form.")
            self._set(JsonObjectField(rows=9, label=_LABEL), chosen, as_json=True, note=note)
            return
        entry = handlers.get(chosen)
        if shown not in {JSON, chosen} and entry is not None and _has_form(entry.config_schema):
            value = {name: item for name, item in value.items() if name in entry.config_schema["properties"]}
        self._put(chosen, value, is_new=shown != chosen and not to_json, as_json=to_json)
        field: Any = self.fields["config"]
        if isinstance(field, SchemaField):
            self.data.update(field.as_data(self.add_prefix("config"), self.initial["config"]))
        elif value or text:
            self.data["config"] = field.prepare_value(value)

    def _put(self, chosen: str, value: Mapping[str, Any], *, is_new: bool, as_json: bool = False) -> None:
        """Show ``value``: in the handler's form if that can show all of it; of a new one with what it starts from."""
        field = None if as_json else schema_field(chosen, self.user)
        note = ""
        if field is not None and not field.holds(value):
            note = gettext("As JSON: it has more, or something else, than the form has inputs for.")
            field = None
        if field is not None and is_new and chosen:
            started = handler_defaults()[chosen]["config"]
            value = {**{name: item for name, item in started.items() if item != ""}, **value}
        self.initial["config"] = dict(value)
        self._set(field or JsonObjectField(rows=9, label=_LABEL), chosen, as_json=field is None, note=note)

    def _set(self, field: forms.Field, handler: str, *, as_json: bool, note: str = "") -> None:
        field.label = _LABEL
        field.widget = ConfigWidget(field.widget, handler=handler, as_json=as_json, note=note)
        self.fields["config"] = field

    # -- errors ------------------------------------------------------------------------------------------------------
    def _mark(self) -> None:
        """Hand what is wrong with the config to the inputs that it is about."""
        field: Any = self.fields.get("config")
        if not isinstance(field, SchemaField) or not self._errors or "config" not in self._errors:
            return
        said = [str(text) for text in self._errors["config"]]
        found, rest = by_property(said, field)
        for name, schema in field.schema["properties"].items():
            here = [
                text for text in rest if schema.get("format") and text.startswith(f"There is no {schema['format']}")
            ]
            found.setdefault(name, []).extend(here)
            rest = [text for text in rest if text not in here]
        widget: Any = field.widget
        widget.inner.errors = {name: texts for name, texts in found.items() if texts}
        if len(rest) < len(said):
            self._errors["config"] = self.error_class([*rest, gettext("See what is marked below.")])


def schema_field(handler: str, user: User) -> SchemaField | None:
    """Return the inputs of the handler's config; None where its schema names no properties, or hides some."""
    if not handler:
        return SchemaField({}, label=_LABEL)  # until one is chosen there is nothing to be asked
    entry = handlers.get(handler)
    if entry is None or not _has_form(entry.config_schema):
        return None
    formats = {schema.get("format") for schema in entry.config_schema["properties"].values()}
    field = SchemaField(entry.config_schema, offered=_offered(formats, user), label=_LABEL)
    return field if field.shows_all else None


def _has_form(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("properties")) or ("properties" in schema and schema.get("additionalProperties") is False)


def entered_config(data: Mapping[str, Any], user: User) -> dict[str, Any]:
    """Return the config as it stands in a route's form, whatever is wrong with it; raises `ValueError` for no JSON."""
    shown = data.get(SHOWN, JSON)
    field = schema_field(shown, user) if shown != JSON else None
    if field is not None:
        return field.entered(field.widget.value_from_datadict(data, {}, "config"))
    text = str(data.get("config", "")).strip()
    found = json.loads(text) if text else {}
    if not isinstance(found, dict):
        raise ValueError("The config has to be an object.")
    return found


def _offered(formats: Collection[Any], user: User) -> dict[str, list[str]]:
    """Return the names that the user may choose from, by format."""
    found: dict[str, list[str]] = {}
    if "connection" in formats:
        rows = Connection.objects.live().visible_to(user).order_by("name")
        found["connection"] = list(rows.values_list("name", flat=True))
    if "endpoint" in formats:
        slugs = Endpoint.objects.live().visible_to(user).filter(provider="internal").order_by("slug")
        found["endpoint"] = list(slugs.values_list("slug", flat=True))
    return found


def config_part(data: Mapping[str, Any], user: User) -> SafeString:
    """Return the inputs alone for the handler that ``data`` names, as a browser puts them into its page."""
    form: Any = type("Form", (RoutePageForm,), {"user": user})(data, instance=Route())
    return SafeString(form["config"])
