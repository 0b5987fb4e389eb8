"""Form fields for what is stored as JSON, and for what is written and never read back."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext
from unfold.widgets import UnfoldAdminTextareaWidget


class JsonObjectField(forms.JSONField):
    """A JSON value as indented text; nothing means ``{}``. Refuses what a database cannot keep (NaN, NUL)."""

    def __init__(self, *, rows: int = 4, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "class": "hub-code", "spellcheck": "false"})
        super().__init__(**{"required": False, "widget": widget, **kwargs})

    def to_python(self, value: Any) -> Any:
        """Return the value of the text."""
        text = (value or "").strip()
        if not text:
            return {}
        if "\\u0000" in text:
            raise ValidationError(gettext("A NUL character cannot be stored."), code="invalid")
        try:
            return json.loads(text, parse_constant=_refuse)
        except RecursionError as exc:
            raise ValidationError(gettext("This is nested too deeply."), code="invalid") from exc
        except ValueError as exc:
            raise ValidationError(gettext("This is not JSON: %(exc)s.") % {"exc": exc}, code="invalid") from exc

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the text as it was typed, so that a mistake can be mended."""
        return initial if self.disabled else InvalidJSONInput(data or "")

    def prepare_value(self, value: Any) -> str:
        """Return the text for a stored value."""
        if isinstance(value, InvalidJSONInput):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


class LinesField(forms.CharField):
    """A list of texts, one a line; empty lines do not count."""

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "class": "hub-code", "spellcheck": "false"})
        super().__init__(**{"required": False, "widget": widget, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        """Return the text for a stored list."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the list of a text."""
        text = super().clean(value)
        return [line.strip() for line in text.splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare the lists: how the lines end does not count."""
        try:
            return bool(self.clean(data) != (initial or []))
        except ValidationError:
            return True


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """A text field that never shows a value, not even the one just typed."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Return the context of an empty field."""
        context: dict[str, Any] = super().get_context(name, None, attrs)
        return context
