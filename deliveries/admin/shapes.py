"""The pages of shapes: what payloads of each event type look like, what has changed, and the order to accept that."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries import display
from deliveries.admin.filters import EndpointFilter
from deliveries.admin.history import HistoryAdmin, SafeChangeList
from deliveries.models import Event, Shape
from deliveries.models.shape import Change, ChangeKind, is_open, moment
from deliveries.shapes import accepting
from deliveries.shapes.learning import LEARNING_EVENTS
from deliveries.shapes.telling import in_words, path_in_words, types_in_words
from deliveries.shapes.tree import Line, lines

_KINDS = {ChangeKind.APPEARED: "success", ChangeKind.VANISHED: "danger", ChangeKind.TYPE: "danger"}


def state_of(row: Shape) -> SafeString:
    """Return the label of where a shape stands."""
    if row.changed_at is not None:
        return display.label(gettext("changed"), "warning")
    if row.learned_at is None:
        return display.label(gettext("learning"))
    return display.label(gettext("as learned"), "success")


@admin.register(Shape)
class ShapeAdmin(HistoryAdmin):
    """Shapes, those first whose type came last."""

    page_template: ClassVar[str] = "admin/deliveries/shape/page.html"
    empty_hint = gettext_lazy(
        "Nothing is learned yet. What JSON payloads look like is learned from events as they come."
    )
    list_display = ("named", "endpoint_shown", "state_shown", "changes_shown", "looked_at_shown", "last_shown")
    list_display_links = ("named",)
    list_filter = (EndpointFilter,)
    list_select_related = ("endpoint",)
    list_defer = ("fields",)
    ordering = ("-last_seen_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of endpoints whose payloads may be seen."""
        rows: Any = super().get_queryset(request)
        shown: QuerySet[Any] = rows.shown()
        return shown

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def get_urls(self) -> list[Any]:
        """Add the address of the order."""
        accept = path("<uuid:pk>/accept/", self.admin_site.admin_view(self.accept), name="deliveries_shape_accept")
        return [accept, *super().get_urls()]

    def accept(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Accept what has changed."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(accepting.PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        count = accepting.accept(row, by=cast(User, request.user))
        said = ngettext("%(count)d change is accepted.", "%(count)d changes are accepted.", count) % {"count": count}
        messages.success(request, said)
        return HttpResponseRedirect(reverse("admin:deliveries_shape_change", args=[pk]))

    def page_context(self, request: HttpRequest, row: Shape) -> dict[str, Any]:
        """Return the tree of fields, the changes, and the events that can still be opened."""
        found = lines(row)
        events = _events(request, [*(line.first_event for line in found), *(each["event"] for each in row.changes)])
        return {
            "state": state_of(row),
            "lines": [_shown(line, events) for line in found],
            "changes": [_change(each, events) for each in reversed(row.changes)],
            "open_count": len(row.open_changes),
            "may_accept": request.user.has_perm(accepting.PERMISSION),
            "learning_events": LEARNING_EVENTS,
        }

    @admin.display(description=gettext_lazy("Event type"))
    def named(self, row: Shape) -> str:
        """Return the event type."""
        return str(row)

    @admin.display(description=gettext_lazy("Endpoint"))
    def endpoint_shown(self, row: Shape) -> str:
        """Return the endpoint."""
        return str(row.endpoint)

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Shape) -> SafeString:
        """Return where it stands."""
        return state_of(row)

    @admin.display(description=gettext_lazy("What has changed"))
    def changes_shown(self, row: Shape) -> str:
        """Return the latest open change in words, and how many more there are."""
        changes = row.open_changes
        if not changes:
            return "–"
        more = len(changes) - 1
        said = ngettext("(%(count)s more)", "(%(count)s more)", more) % {"count": more}
        return f"{in_words(changes[-1])} {said}" if more else in_words(changes[-1])

    @admin.display(description=gettext_lazy("Events looked at"))
    def looked_at_shown(self, row: Shape) -> str:
        """Return how many events it was learned from."""
        return f"{row.looked_at:,}"

    @admin.display(description=gettext_lazy("Last event"))
    def last_shown(self, row: Shape) -> SafeString:
        """Return when the type last came."""
        return display.moment(row.last_seen_at)


def _events(request: HttpRequest, ids: Collection[str]) -> set[str]:
    """Return those of the events ``ids`` that are still there and that the user may open."""
    if not request.user.has_perm("deliveries.view_event"):
        return set()
    rows = Event.objects.visible_to(request.user).filter(pk__in=set(ids))
    return {str(pk) for pk in rows.values_list("pk", flat=True)}


def _shown(line: Line, events: Collection[str]) -> dict[str, Any]:
    return {
        "line": line,
        "name": line.name or path_in_words(line.path),
        "types": types_in_words(line.types),
        "share": round(line.share * 100),
        "event": line.first_event if line.first_event in events else "",
    }


def _change(change: Change, events: Collection[str]) -> dict[str, Any]:
    kind = ChangeKind(change["kind"])
    colour = _KINDS.get(kind, "warning") if is_open(change) else "neutral"
    return {
        "text": in_words(change),
        "label": display.label(kind.label, colour),
        "at": moment(change["at"]),
        "event": change["event"] if change["event"] in events else "",
        "ended_at": moment(change["ended_at"]) if change["ended_at"] else None,
        "accepted_at": moment(change["accepted_at"]) if change["accepted_at"] else None,
        "accepted_by": change["accepted_by"],
    }
