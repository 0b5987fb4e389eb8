"""What lists are filtered by. Any text may stand in the address: what means nothing finds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_time
from django.utils.translation import gettext, gettext_lazy
from unfold.contrib.filters.admin import RangeDateTimeFilter, TextFilter

from deliveries import payload_search
from deliveries.models import DeliveryStatus, ItemState, ReplayItem, Verdict
from deliveries.models.states import FAILED
from integrations.models import Endpoint, EndpointGroup, Route
from integrations.providers import provider_choices

if TYPE_CHECKING:
    from django.contrib.admin import SimpleListFilter

    ChoiceFilter = SimpleListFilter
    WordFilter = SimpleListFilter
else:
    from deliveries.admin.choosing import ChoiceFilter

    WordFilter = TextFilter

#: What a filter offers: a value, and its text, which may wait for the language of who reads it.
Choices = Iterable[tuple[str, Any]]

#: Spans of time that are offered, see `span_of`.
WHEN = (
    ("hour", gettext_lazy("Last hour")),
    ("last_night", gettext_lazy("Last night (18:00 to 8:00)")),
    ("today", gettext_lazy("Today")),
    ("day", gettext_lazy("Last 24 hours")),
    ("week", gettext_lazy("Last 7 days")),
)
_NIGHT_FROM, _NIGHT_UNTIL = 18, 8


class EndpointFilter(ChoiceFilter):
    """By endpoint; retired ones too, as their history stays."""

    title = gettext_lazy("endpoint")
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return the endpoints that the user may see, the retired ones last."""
        rows = Endpoint.objects.visible_to(request.user).order_by("retired_at", "slug")
        live_first = sorted(rows.values_list("pk", "slug", "retired_at"), key=lambda row: row[2] is not None)
        return [
            (str(pk), gettext("%(slug)s (retired)") % {"slug": slug} if retired else slug)
            for pk, slug, retired in live_first
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen endpoint."""
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(endpoint=UUID(value))
        except ValueError:
            return queryset.none()


class GroupFilter(ChoiceFilter):
    """By the endpoint's group."""

    title = gettext_lazy("group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return the groups that the user may see."""
        rows = EndpointGroup.objects.visible_to(request.user).order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen group."""
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(group=UUID(value))
        except ValueError:
            return queryset.none()


class RouteFilter(ChoiceFilter):
    """By route; retired ones too, as their history stays."""

    title = gettext_lazy("route")
    parameter_name = "route"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return the routes that the user may see, under their endpoints' names."""
        rows = Route.objects.visible_to(request.user).order_by("endpoint__slug", "name")
        named = rows.values_list("pk", "endpoint__slug", "name")
        return [(str(pk), f"{slug} → {name}") for pk, slug, name in named]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen route."""
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(route=UUID(value))
        except ValueError:
            return queryset.none()


class ProviderFilter(ChoiceFilter):
    """By the provider that the endpoint had when the event came."""

    title = gettext_lazy("provider")
    parameter_name = "provider"
    column = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return every preset."""
        return provider_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen provider."""
        value = self.value()
        return queryset.filter(**{self.column: value}) if value else queryset


class EventProviderFilter(ProviderFilter):
    """By the provider of the event that is delivered."""

    column = "event__provider"


class StatusFilter(ChoiceFilter):
    """By where a delivery stands."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return every status."""
        return DeliveryStatus.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen status."""
        value = self.value()
        if value == DeliveryStatus.PENDING:
            # All of them, in the two parts that have an index each.
            return queryset.filter(Q(status=value, blocked=False) | Q(status=value, blocked=True))
        return queryset.filter(status=value) if value else queryset


class VerdictFilter(ChoiceFilter):
    """By how the hub knows where an event came from."""

    title = gettext_lazy("verdict")
    parameter_name = "verdict"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return every verdict."""
        return Verdict.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen verdict."""
        value = self.value()
        return queryset.filter(verdict=value) if value else queryset


class EventTypeFilter(WordFilter):
    """By event type: the whole of it, or its beginning and a ``*``."""

    title = gettext_lazy("event type (push, or pull_request.*)")
    parameter_name = "event_type"
    column = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return nothing: the text is free."""
        return ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the type that was entered."""
        value = (self.value() or "").strip()
        if not value:
            return queryset
        if value.endswith("*"):
            return queryset.filter(**{f"{self.column}__startswith": value[:-1]})
        return queryset.filter(**{self.column: value})


class PayloadFilter(WordFilter):
    """By a value in the payload. The database finds what may have it; `EventAdmin.checked` leaves what does."""

    title = gettext_lazy("payload value (customer.id = cus_123)")
    parameter_name = "value"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return nothing: the text is free."""
        return ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the events that may have the value; none for a text that is no field and value."""
        if not (self.value() or "").strip():
            return queryset
        wanted = wanted_in(self.value())
        return queryset.none() if wanted is None else payload_search.candidates(queryset, wanted)


def wanted_in(text: Any) -> payload_search.Wanted | None:
    """Return the value that the filter's text looks for; None for no text, and for one that says none."""
    try:
        return payload_search.Wanted.read(str(text[-1] if isinstance(text, list) else text or ""))
    except payload_search.NotASearch:
        return None


class DeliveredTypeFilter(EventTypeFilter):
    """By the type of the event that is delivered."""

    column = "event__event_type"


class ReasonFilter(WordFilter):
    """By why a request was refused."""

    title = gettext_lazy("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return nothing: the text is free."""
        return ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the reason that was entered."""
        value = (self.value() or "").strip()
        return queryset.filter(reason=value) if value else queryset


class MomentFilter(RangeDateTimeFilter):  # type: ignore[misc]
    """By a span of time in the viewer's zone; a date alone means its beginning, or at the end of a span its end."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows within the span."""
        since = self._moment("from", time.min)
        until = self._moment("to", time.max)
        if since:
            queryset = queryset.filter(**{f"{self.field_path}__gte": since})
        if until:
            queryset = queryset.filter(**{f"{self.field_path}__lte": until})
        return queryset

    def _moment(self, end: str, default: time) -> datetime | None:
        return moment_in(self.used_parameters, f"{self.field_path}_{end}", default)


def moment_in(values: Mapping[str, Any], name: str, default: time) -> datetime | None:
    """Return the moment that the fields ``name``_0 (a date) and ``name``_1 (an hour, else ``default``) say, or None.

    They are understood in the viewer's time zone.
    """
    try:
        day = parse_date(values.get(f"{name}_0") or "")
        hour = parse_time(values.get(f"{name}_1") or "")
        # No column holds what is before the year 1 or after 9999 once it is in UTC.
        return timezone.make_aware(datetime.combine(day, hour or default)).astimezone(UTC) if day else None
    except (ValueError, OverflowError):  # 31 February, the year 1 in a zone east of Greenwich
        return None


def span_of(when: str, now: datetime) -> tuple[datetime, datetime | None]:
    """Return the beginning and the end of a span by its name in `WHEN`, in the viewer's time zone; None is not ended.

    Raises `ValueError` for a name that is none.
    """
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    match when:
        case "hour":
            return now - timedelta(hours=1), None
        case "last_night":
            yesterday = midnight - timedelta(days=1)
            return yesterday.replace(hour=_NIGHT_FROM), midnight.replace(hour=_NIGHT_UNTIL)
        case "today":
            return midnight, None
        case "day":
            return now - timedelta(hours=24), None
        case "week":
            return now - timedelta(days=7), None
        case _:
            raise ValueError(f"not a span of time: {when!r}")


class WhenFilter(ChoiceFilter):
    """By a span of time that goes with the clock."""

    title = gettext_lazy("when")
    parameter_name = "when"
    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return every span."""
        return WHEN

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows within the span."""
        value = self.value()
        if not value:
            return queryset
        try:
            since, until = span_of(value, timezone.now())
        except ValueError:
            return queryset.none()
        rows = queryset.filter(**{f"{self.column}__gte": since})
        return rows if until is None else rows.filter(**{f"{self.column}__lt": until})


class CreatedWhenFilter(WhenFilter):
    """By when a delivery was made."""

    column = "created_at"


class ReceivedWhenFilter(WhenFilter):
    """By when an event came."""

    column = "received_at"


class ErrorFilter(WordFilter):
    """By the class of the last error."""

    title = gettext_lazy("error class (ConnectTimeout)")
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return nothing: the text is free."""
        return ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the deliveries whose last attempt ended with that error."""
        value = (self.value() or "").strip()
        return queryset.filter(Q(last_error=value) | Q(last_error__startswith=f"{value}:")) if value else queryset


class FingerprintFilter(ChoiceFilter):
    """What failed with the same error; the way here is the page of failures."""

    title = gettext_lazy("the same error")
    parameter_name = "fingerprint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return the fingerprint that is chosen, if one is: else the filter is not there."""
        chosen = request.GET.get(self.parameter_name, "")
        return [(chosen, gettext("Fingerprint %(chosen)s") % {"chosen": chosen})] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the dead letters and what waits for a retry after such an error."""
        value = self.value()
        return queryset.filter(fingerprint=value, status__in=FAILED) if value else queryset


class FailedInReplayFilter(ChoiceFilter):
    """What failed again in one bulk replay; the way here is the replay's page."""

    title = gettext_lazy("failed again in a replay")
    parameter_name = "failed_in"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Return the replay that is chosen, if one is: else the filter is not there."""
        chosen = request.GET.get(self.parameter_name, "")
        return [(chosen, gettext("Replay %(chosen)s") % {"chosen": chosen})] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the deliveries that failed again."""
        value = self.value()
        if not value:
            return queryset
        try:
            items = ReplayItem.objects.filter(replay=UUID(value), state=ItemState.FAILED)
        except ValueError:
            return queryset.none()
        return queryset.filter(pk__in=items.values("delivery"))
