"""The pages of workers: who runs what, and who has gone silent."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from deliveries import display
from deliveries.admin.history import HistoryAdmin, SafeChangeList
from deliveries.models import Delivery, DeliveryStatus, Worker
from deliveries.models.worker import SILENT_AFTER

#: Deliveries that a worker's line in the list names; its own page has the others, up to `_MOST_NAMED`.
_NAMED = 3
_MOST_NAMED = 200


class WorkerChangeList(SafeChangeList):
    """Workers with what they run now, found in one query for all."""

    def get_results(self, request: HttpRequest) -> None:
        """Get the rows of the page, each with ``current``, the deliveries that it runs."""
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        current: defaultdict[str, list[Delivery]] = defaultdict(list)
        for delivery in _running_on([row.name for row in rows], request.user):
            current[delivery.worker].append(delivery)
        for row in rows:
            row.current = current[row.name]
        self.result_list = rows


@admin.register(Worker)
class WorkerAdmin(HistoryAdmin):
    """Workers, as they report themselves."""

    of_endpoints = False
    page_template: ClassVar[str] = "admin/deliveries/worker.html"
    empty_hint = gettext_lazy("No worker is heard of: nothing is done with events. Start the hub: python manage.py hub")
    list_display = ("name", "state_shown", "beat_shown", "threads_shown", "current_shown", "version_shown")
    list_display_links = ("name",)
    ordering = ("-beat_at",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return WorkerChangeList

    def page_context(self, request: HttpRequest, row: Worker) -> dict[str, Any]:
        """Return what the worker runs now."""
        return {
            "state": state_of(row),
            "current": _running_on([row.name], request.user).select_related("event", "route", "endpoint")[:_MOST_NAMED],
            "now": timezone.now(),
        }

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Worker) -> SafeString:
        """Return whether it is heard of, and takes deliveries."""
        return state_of(row)

    @admin.display(description=gettext_lazy("Last heard of"))
    def beat_shown(self, row: Worker) -> SafeString:
        """Return when it was last heard of."""
        return display.moment(row.beat_at)

    @admin.display(description=gettext_lazy("Running"))
    def threads_shown(self, row: Any) -> str:
        """Return how many of its threads are at work, as the deliveries say, not the worker."""
        return (
            gettext("%(current)s of %(threads)s") % {"current": len(row.current), "threads": row.threads}
            if row.threads
            else str(len(row.current))
        )

    @admin.display(description=gettext_lazy("Current deliveries"))
    def current_shown(self, row: Any) -> SafeString | str:
        """Return links to the first of them, and how many more there are."""
        if not row.current:
            return "–"
        links = [display.link("deliveries_delivery_change", item.pk, item.route.name) for item in row.current[:_NAMED]]
        more = len(row.current) - len(links)
        return format_html_join(
            ", ", "{}", ((part,) for part in [*links, *([gettext("%(more)s more") % {"more": more}] if more else [])])
        )

    @admin.display(description=gettext_lazy("Version"))
    def version_shown(self, row: Worker) -> str:
        """Return the hub's version that it runs."""
        return row.version or "–"


def state_of(row: Worker) -> SafeString:
    """Return the label of where a worker stands: alive, stopping or silent."""
    if row.beat_at <= timezone.now() - SILENT_AFTER:
        return display.label(gettext("silent"), "danger")
    return display.label(gettext("stopping"), "warning") if row.stopping else display.label(gettext("alive"), "success")


def _running_on(names: list[str], user: Any) -> QuerySet[Delivery]:
    rows = (
        Delivery.objects.visible_to(user)
        .filter(status=DeliveryStatus.RUNNING, worker__in=names)
        .select_related("route")
    )
    return rows.defer("event__raw_body", "event__sealed", "event__headers").order_by("pk")
