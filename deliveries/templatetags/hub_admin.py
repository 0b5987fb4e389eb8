"""What the admin's templates need: see `deliveries.display`."""

from __future__ import annotations

from django import template

from deliveries import display

register = template.Library()

register.filter("state", display.state)
register.filter("label", display.label)
register.filter("moment", display.moment)
register.filter("length_of_time", display.length)
register.filter("reason", display.reason)
register.filter("made_how", display.made_how)
register.filter("bytes", display.size)
register.filter("code", display.code)
register.filter("traceback", display.traceback)
register.filter("log_lines", display.log_lines)
