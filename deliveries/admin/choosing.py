"""A box to choose from hundreds of values, as filters have it."""

from __future__ import annotations

from typing import Any

from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter
from unfold.contrib.filters.forms import DropdownForm
from unfold.widgets import UnfoldAdminSelectWidget


class PlainSelect(UnfoldAdminSelectWidget):  # type: ignore[misc]
    """Unfold's, without a template for each option: of hundreds they took up to two fifths of a page's time."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """Return the box; ungrouped choices only."""
        chosen = "" if value is None else str(value)
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            ((key, SafeString(" selected") if str(key) == chosen else "", text) for key, text in self.choices),
        )
        given = flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name}))
        return format_html(
            '<div class="grow relative max-w-2xl"><select{}>{}</select>{}</div>',
            given,
            options,
            _ARROW,
        )


#: As in Unfold's template, which this stands for.
_ARROW = SafeString(
    '<span class="material-symbols-outlined absolute group-[.primary]:text-white pointer-events-none mr-[12px] right-0'
    " text-base-400 top-0 top-1/2 hover:text-base-700 dark:text-base-500 dark:hover:text-base-200"
    ' -translate-y-1/2" aria-hidden="true">expand_more</span>'
)


class ChoiceForm(DropdownForm):  # type: ignore[misc]
    """Unfold's form of a filter with the box above."""

    widget = PlainSelect({"data-theme": "admin-autocomplete", "class": "unfold-admin-autocomplete admin-autocomplete"})


class ChoiceFilter(DropdownFilter):  # type: ignore[misc]
    """A filter by one of many values."""

    form_class = ChoiceForm
