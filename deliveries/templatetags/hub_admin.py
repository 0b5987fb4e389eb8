"""What the admin's templates need: see `deliveries.display` and `deliveries.tracebacks`."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from deliveries import display, tracebacks

register = template.Library()

register.filter("state", display.state)
register.filter("label", display.label)
register.filter("moment", display.moment)
register.filter("length_of_time", display.length)
register.filter("reason", display.reason)
register.filter("made_how", display.made_how)
register.filter("bytes", display.size)
register.filter("number", intcomma)
register.filter("code", display.code)
register.filter("response", display.response)
register.filter("log_lines", display.log_lines)


@register.filter
def traceback_parts(text: str) -> list[tracebacks.Part]:
    """Return a traceback in parts; the packages of the site's own handlers are not folded."""
    return tracebacks.parts_of(text, packages=settings.HUB_AUTOMATIONS)


@register.filter
def words(code: str) -> str:
    """Return a code as people read it: without what joins its words."""
    return code.replace("_", " ")


@register.filter
def trail(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the way to a page, in which the group of the sidebar stands for the app of the model."""
    # Not at the top: Unfold makes widgets as it is loaded, and Django loads the tags of all apps for the first of them.
    from deliveries.admin.navigation import group_of

    parts = [
        {**part, "title": display.title(part.get("title")), "of_row": hasattr(part.get("title"), "pk")}
        for part in parts
    ]
    found = group_of(str(parts[1].get("link", ""))) if len(parts) > 1 else ""
    return [{"title": found}, *parts[1:]] if found else parts


@register.simple_tag
def copy_button(of: str, text: str = "", *, small: bool = False) -> SafeString:
    """Return the button that copies the text of the element ``of``; it says whether that was done."""
    return format_html(
        '<button type="button" class="hub-button{}" data-copy="{}" data-copied="{}" data-not-copied="{}">{}</button>',
        " hub-small" if small else "",
        of,
        gettext("Copied"),
        gettext("Select and copy by hand"),
        text or gettext("Copy"),
    )
