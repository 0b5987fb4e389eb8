"""The filters of the lists of history. Spans of time are half open: ``after`` is included, ``before`` is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from deliveries.models import Delivery, DeliveryStatus, Event, Rejection, Verdict

_LONGEST = 255


class InstantField(forms.CharField):
    """A moment in ISO 8601; without an offset it is UTC."""

    def to_python(self, value: Any) -> Any:
        """Return an aware datetime in UTC, or None for an empty text."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            moment = parse_datetime(text)
        except ValueError:  # well formed, but no such day or hour
            moment = None
        try:
            return _in_utc(moment) if moment else self._refuse()
        except OverflowError:  # its offset leads out of the calendar
            return self._refuse()

    def _refuse(self) -> None:
        raise ValidationError("A time such as 2026-11-22T10:00:00Z.", code="invalid")


@extend_schema_field(
    {
        "type": "string",
        "format": "date-time",
        "description": "ISO 8601; without an offset it is UTC, a date alone is its midnight.",
    }
)
class InstantFilter(filters.Filter):  # type: ignore[misc]
    """Rows before or from a moment."""

    field_class = InstantField


class EventFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /events/``."""

    endpoint = filters.CharFilter("endpoint__slug", max_length=_LONGEST, help_text="The endpoint's slug.")
    provider = filters.CharFilter("provider", max_length=_LONGEST, help_text="A key of `/providers/`.")
    event_type = filters.CharFilter("event_type", max_length=_LONGEST, help_text="The whole event type.")
    event_id = filters.CharFilter("event_id", max_length=_LONGEST, help_text="The provider's id, whole.")
    verdict = filters.MultipleChoiceFilter("verdict", choices=Verdict.choices, help_text="One or more.")
    received_after = InstantFilter("received_at", "gte")
    received_before = InstantFilter("received_at", "lt")
    search = filters.CharFilter(
        method="find",
        max_length=_LONGEST,
        help_text="The event's own id, or a part of its event id, type or request id.",
    )

    class Meta:
        model = Event
        fields: list[str] = []

    def find(self, queryset: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        """Return events whose id is ``value``, or whose event id, type or request id contains it."""
        found = Q(event_id__icontains=value) | Q(event_type__icontains=value) | Q(request_id__icontains=value)
        try:
            return queryset.filter(found | Q(pk=UUID(value)))
        except ValueError:
            return queryset.filter(found)


class DeliveryFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /deliveries/``; ``status`` may be given several times."""

    status = filters.MultipleChoiceFilter("status", choices=DeliveryStatus.choices, help_text="One or more.")
    endpoint = filters.CharFilter("endpoint__slug", max_length=_LONGEST, help_text="The endpoint's slug.")
    route = filters.UUIDFilter("route_id", help_text="The route's id.")
    handler = filters.CharFilter("route__handler", max_length=_LONGEST, help_text="A key of `/handlers/`.")
    event = filters.UUIDFilter("event_id", help_text="The hub's own id of the event.")
    event_type = filters.CharFilter("event__event_type", max_length=_LONGEST, help_text="The event's whole type.")
    created_after = InstantFilter("created_at", "gte")
    created_before = InstantFilter("created_at", "lt")

    class Meta:
        model = Delivery
        fields: list[str] = []


class RejectionFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /rejections/``."""

    endpoint = filters.CharFilter("endpoint__slug", max_length=_LONGEST, help_text="The endpoint's slug.")
    reason = filters.CharFilter("reason", max_length=_LONGEST, help_text="A reason's code.")
    source = filters.CharFilter("source", max_length=_LONGEST, help_text="The sender's address.")
    received_after = InstantFilter("received_at", "gte")
    received_before = InstantFilter("received_at", "lt")

    class Meta:
        model = Rejection
        fields: list[str] = []


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
