"""The pages of alerts: what the rules found, now and in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from deliveries import display
from deliveries.admin.history import HistoryAdmin, SafeChangeList
from deliveries.admin.places import link_to
from deliveries.alerts.telling import runbook
from deliveries.concerns.concern import Page, Place
from deliveries.models import Alert, AlertState

if TYPE_CHECKING:
    from integrations.models.endpoint_group import Person

_COLOURS = {AlertState.PENDING: "warning", AlertState.FIRING: "danger", AlertState.RESOLVED: "neutral"}
#: Firing alerts that the first page names.
MOST_SHOWN = 8


def firing_for(user: Person) -> list[Alert]:
    """Return the alerts that fire now, the newest first, up to one more than `MOST_SHOWN`."""
    return list(Alert.objects.visible_to(user).firing().order_by("-since", "-pk")[: MOST_SHOWN + 1])


def state_of(row: Alert) -> SafeString:
    """Return the label of where an alert stands."""
    return display.label(row.get_state_display().lower(), _COLOURS.get(AlertState(row.state), "neutral"))


def _place(row: Alert) -> Place | None:
    """Return where to look; None where that is no page, or was one in an older version only."""
    if row.page not in list(Page):
        return None
    return Place(Page(row.page), row.page_key or None, row.page_filters)


@admin.register(Alert)
class AlertAdmin(HistoryAdmin):
    """Alerts, the newest first."""

    page_template: ClassVar[str] = "admin/deliveries/alert/page.html"
    empty_hint = gettext_lazy("No alert has fired. What is watched for stands in the alert rules.")
    list_display = ("named", "state_shown", "text_shown", "since_shown", "resolved_shown")
    list_display_links = ("named",)
    list_filter = ("state", "kind")
    ordering = ("-since", "-id")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def page_context(self, request: HttpRequest, row: Alert) -> dict[str, Any]:
        """Return the way to what it is about, and to what to do."""
        place = _place(row)
        url, text = link_to(place, request.user) if place is not None else ("", "")
        return {"state": state_of(row), "place_url": url, "place_text": text, "runbook": runbook(row.kind)}

    @admin.display(description=gettext_lazy("Alert"))
    def named(self, row: Alert) -> str:
        """Return the rule and what it is about."""
        return str(row)

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Alert) -> SafeString:
        """Return where it stands."""
        return state_of(row)

    @admin.display(description=gettext_lazy("What is the case"))
    def text_shown(self, row: Alert) -> str:
        """Return what was found."""
        return row.text

    @admin.display(description=gettext_lazy("Since"))
    def since_shown(self, row: Alert) -> SafeString:
        """Return when it began."""
        return display.moment(row.since)

    @admin.display(description=gettext_lazy("Over"))
    def resolved_shown(self, row: Alert) -> SafeString:
        """Return when it was over."""
        return display.moment(row.resolved_at)
