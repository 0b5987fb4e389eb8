"""Schedules in a configuration file."""

from __future__ import annotations

from django.db.models import QuerySet

from deliveries.api.schedule_rows import ScheduleSerializer
from deliveries.configuration.kind import Kind
from deliveries.models import Schedule


class Schedules(Kind):
    """Known by their name."""

    name = "schedules"
    noun = "schedule"
    serializer = ScheduleSerializer
    identity = ("name",)
    always = ("endpoint",)

    def rows(self) -> QuerySet[Schedule]:
        """Return those of the endpoints in service, by name."""
        return Schedule.objects.filter(endpoint__retired_at=None).select_related("endpoint").order_by("name")

    def retire(self, row: Schedule) -> None:
        """Delete it; the events that it made stay."""
        row.delete()
