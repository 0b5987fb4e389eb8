"""How a point in time looks on a page."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext


def shown_moment(value: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> SafeString:
    """Return ``value`` in ``form`` in the viewer's time zone, with the moment in UTC on hover; a dash for None.

    The browser names the viewer's zone: see `hub.middleware.viewer_zone`.
    """
    if value is None:
        return mark_safe('<span class="hub-quiet">–</span>')
    in_utc = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        in_utc.isoformat(),
        gettext("%(moment)s UTC (shown in %(zone)s)")
        % {"moment": f"{in_utc:%Y-%m-%d %H:%M:%S.%f}", "zone": timezone.get_current_timezone_name()},
        f"{timezone.localtime(value):{form}}",
    )
