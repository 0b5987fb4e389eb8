"""Backfills in a configuration file."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from deliveries.api.backfill_rows import BackfillSerializer
from deliveries.configuration.kind import Kind
from deliveries.models import Backfill
from integrations.history import histories


class Backfills(Kind):
    """Known by their endpoint."""

    name = "backfills"
    noun = "backfill of"
    serializer = BackfillSerializer
    identity = ("endpoint",)
    always = ("connection",)

    def rows(self) -> QuerySet[Backfill]:
        """Return those of the endpoints in service, by their slugs."""
        live = Backfill.objects.filter(endpoint__retired_at=None).select_related("endpoint", "connection")
        return live.order_by("endpoint__slug")

    def retire(self, row: Backfill) -> None:
        """Delete it with its runs; what they stored stays."""
        row.delete()

    def refine(self, schema: dict[str, Any], *, built_in: bool) -> None:
        """Say what ``source`` may hold."""
        schema["properties"]["source"]["anyOf"] = [dict(histories[key].settings_schema) for key in histories]
