"""The list of workers: who runs handlers, and who has gone silent."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from deliveries import display
from deliveries.admin.history import HistoryAdmin
from deliveries.models import Worker
from deliveries.models.worker import SILENT_AFTER


@admin.register(Worker)
class WorkerAdmin(HistoryAdmin):
    """Workers, as they report themselves."""

    of_endpoints = False
    list_display = ("name", "state_shown", "started_shown", "beat_shown")
    list_display_links = None
    ordering = ("-beat_at",)

    @admin.display(description="State")
    def state_shown(self, row: Worker) -> SafeString:
        """Return whether it is heard of."""
        is_alive = row.beat_at > timezone.now() - SILENT_AFTER
        return display.label("alive", "success") if is_alive else display.label("silent", "danger")

    @admin.display(description="Started")
    def started_shown(self, row: Worker) -> SafeString:
        """Return since when it runs."""
        return display.moment(row.started_at)

    @admin.display(description="Last heard of")
    def beat_shown(self, row: Worker) -> SafeString:
        """Return when it was last heard of."""
        return display.moment(row.beat_at)
