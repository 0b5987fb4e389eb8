"""The pages of endpoint groups, and the part of a user's and a role's page that restricts them to some."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext, gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from deliveries import display
from deliveries.admin.history import SafeChangeList
from deliveries.admin.pages import HubPages
from integrations.admin.base import HubStackedInline
from integrations.models import EndpointGroup, Restriction, groups_of


@admin.register(EndpointGroup)
class EndpointGroupAdmin(HubPages):
    """Groups by name. Who is restricted to groups sees theirs, and changes none: others are in them too."""

    empty_hint = gettext_lazy("Without groups everybody sees every endpoint. A group limits that to its people.")
    list_display = ("name", "description", "endpoints_shown", "restricted_shown")
    search_fields = ("name", "description")
    ordering = ("name",)
    fields = ("name", "description", "members_shown", "restricted_shown")
    readonly_fields = ("members_shown", "restricted_shown")
    list_per_page = 50
    actions: Any = None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SafeChangeList]:
        """Return the class of the list."""
        return SafeChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the groups that the user may see, with the number of their endpoints in service."""
        rows = super().get_queryset(request).prefetch_related("restrictions__user", "restrictions__role")
        live = Count("endpoints", filter=Q(endpoints__retired_at=None))
        counted: QuerySet[Any] = rows.annotate(live_endpoints=live)
        return counted

    def get_fields(self, request: HttpRequest, obj: EndpointGroup | None = None) -> Any:
        """Return the columns; a new group has nothing in it."""
        if obj is None:
            return ("name", "description")
        return self.fields if _may_see_people(request) else self.fields[:-1]

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns of the list; who is restricted to which is for those who may see users."""
        return self.list_display if _may_see_people(request) else self.list_display[:-1]

    @admin.display(description=gettext_lazy("Endpoints"))
    def endpoints_shown(self, row: Any) -> int:
        """Return how many endpoints in service are in it."""
        count: int = row.live_endpoints
        return count

    @admin.display(description=gettext_lazy("Endpoints"))
    def members_shown(self, row: EndpointGroup) -> str:
        """Return links to its endpoints in service."""
        rows = row.endpoints.live().order_by("slug").values_list("pk", "slug")
        links = ((display.link("integrations_endpoint_change", pk, slug),) for pk, slug in rows)
        return format_html_join(", ", "{}", links) or gettext("none; an endpoint's own page puts it here")

    @admin.display(description=gettext_lazy("Restricted to it"))
    def restricted_shown(self, row: EndpointGroup) -> str:
        """Return the names of the users and roles that are restricted to it."""
        names = [
            f"{each.user}" if each.user else gettext("role %(role)s") % {"role": each.role}
            for each in row.restrictions.all()
        ]
        return ", ".join(sorted(names)) or "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may add groups."""
        return super().has_add_permission(request) and groups_of(request.user) is None

    def has_change_permission(self, request: HttpRequest, obj: EndpointGroup | None = None) -> bool:
        """Return whether the user may change groups."""
        return super().has_change_permission(request, obj) and groups_of(request.user) is None

    def has_delete_permission(self, request: HttpRequest, obj: EndpointGroup | None = None) -> bool:
        """Return whether the group may be deleted: not while an endpoint is in it."""
        may = super().has_delete_permission(request, obj) and groups_of(request.user) is None
        return may and (obj is None or not obj.is_in_use)


def _may_see_people(request: HttpRequest) -> bool:
    return request.user.has_perm("auth.view_user") and groups_of(request.user) is None


class RestrictionInline(HubStackedInline):
    """The restriction of one user or role to groups of endpoints; the page's own permission guards it."""

    model = Restriction
    extra = 0
    max_num = 1
    fields = ("groups",)
    verbose_name = verbose_name_plural = gettext_lazy("Restricted to endpoint groups")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return True: who sees the user sees what they are restricted to."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may change the page that it stands on."""
        return self._may_change(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may change the page that it stands on."""
        return self._may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may change the page that it stands on."""
        return self._may_change(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let groups be ticked."""
        return super().formfield_for_manytomany(
            db_field, request, **kwargs, widget=UnfoldAdminCheckboxSelectMultipleWidget()
        )

    def _may_change(self, request: HttpRequest, obj: Any) -> bool:
        page = admin.site.get_model_admin(self.parent_model)
        return page.has_change_permission(request, obj) or (obj is None and page.has_add_permission(request))


class UserRestrictionInline(RestrictionInline):
    """A user's."""

    fk_name = "user"


class RoleRestrictionInline(RestrictionInline):
    """A role's."""

    fk_name = "role"
