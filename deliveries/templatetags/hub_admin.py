"""What the admin's templates need: see `deliveries.display` and `deliveries.tracebacks`."""

from __future__ import annotations

from django import template
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma

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
register.filter("log_lines", display.log_lines)


@register.filter
def traceback_parts(text: str) -> list[tracebacks.Part]:
    """Return a traceback in parts; the packages of the site's own handlers are not folded."""
    return tracebacks.parts_of(text, packages=settings.HUB_AUTOMATIONS)
