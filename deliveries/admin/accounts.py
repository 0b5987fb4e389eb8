"""Users and groups: nobody can give, or take over, more than they have themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from deliveries import display
from deliveries.admin.closed import UNGRANTABLE_APPS
from deliveries.admin.groups import RoleRestrictionInline, UserRestrictionInline
from deliveries.admin.pages import HubPages
from integrations.models import groups_of

if TYPE_CHECKING:
    from django.contrib.auth.admin import UserAdmin as _UserAdmin

    DjangoUserAdmin = _UserAdmin[User]
else:
    from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin

admin.site.unregister([User, Group])

_NAMES = (gettext_lazy("Name"), {"fields": ("first_name", "last_name", "email")})
_LOGIN = (None, {"fields": ("username", "password")})


def grantable_permissions() -> QuerySet[Permission]:
    """Return the permissions that somebody may have."""
    return Permission.objects.exclude(content_type__app_label__in=UNGRANTABLE_APPS).select_related("content_type")


def _permissions_beyond(request: HttpRequest) -> QuerySet[Permission]:
    """Return the permissions that the acting user does not have."""
    own = {tuple(name.split(".", 1)) for name in request.user.get_all_permissions()}
    everything = Permission.objects.values_list("pk", "content_type__app_label", "codename")
    return Permission.objects.filter(pk__in=[pk for pk, app, codename in everything if (app, codename) not in own])


def outranks(request: HttpRequest, other: User) -> bool:
    """Return whether the acting user can do all that ``other`` can; superusers outrank everybody."""
    if request.user.is_superuser:
        return True
    if other.is_superuser:
        return False
    everything = User.objects.get(pk=other.pk)
    everything.is_active = True  # a deactivated user would count as one without any permission
    return everything.get_all_permissions() <= request.user.get_all_permissions()


class AccountPages(HubPages):
    """Pages of who may do what. They are shut to who is restricted to groups: they lead, and name, beyond those."""

    of_endpoints = False
    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let roles and permissions be ticked: two lists with arrows between them are in the way of a screen reader."""
        return super().formfield_for_manytomany(
            db_field, request, **kwargs, widget=UnfoldAdminCheckboxSelectMultipleWidget()
        )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the acting user may look."""
        return super().has_view_permission(request, obj) and groups_of(request.user) is None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the acting user may add some."""
        return super().has_add_permission(request) and groups_of(request.user) is None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the acting user may change some."""
        return super().has_change_permission(request, obj) and groups_of(request.user) is None


@admin.register(User)
class UserAdmin(DjangoUserAdmin, AccountPages):
    """Users. They are switched off, not deleted: the log names them."""

    inlines = (UserRestrictionInline,)
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_active", "is_superuser", "last_login_shown")
    list_filter = ("is_active", "groups")
    readonly_fields = ("last_login_shown", "date_joined_shown")
    actions: Any = None
    add_fieldsets: Any = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        (gettext_lazy("Role"), {"fields": ("is_staff", "groups")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Return the users with their groups."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=gettext_lazy("Roles"))
    def roles(self, row: User) -> str:
        """Return the names of the user's groups."""
        return ", ".join(sorted(group.name for group in row.groups.all())) or "–"

    @admin.display(description=gettext_lazy("Last login"), ordering="last_login")
    def last_login_shown(self, row: User) -> SafeString:
        """Return when the user last logged in."""
        return display.moment(row.last_login)

    @admin.display(description=gettext_lazy("Date joined"))
    def date_joined_shown(self, row: User) -> SafeString:
        """Return when the user was made."""
        return display.moment(row.date_joined)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return the fields that the acting user may set: only a superuser makes another, or hands out permissions."""
        if obj is None:
            return self.add_fieldsets
        role = ["is_active", "is_staff", "groups"]
        if request.user.is_superuser:
            role += ["is_superuser", "user_permissions"]
        return (
            _LOGIN,
            _NAMES,
            (gettext("Role"), {"fields": tuple(role)}),
            (gettext("Dates"), {"fields": self.readonly_fields}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return what is on record."""
        return self.readonly_fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return whether the acting user may change ``obj``: nobody who can do more than they can."""
        return super().has_change_permission(request, obj) and (obj is None or outranks(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Return False: the log of what a user did would go too. ``is_active`` switches a user off."""
        return False

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Give somebody a new password, on record."""
        return super().user_change_password(request, id, form_url)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only what may be given."""
        if db_field.name == "user_permissions":
            kwargs["queryset"] = grantable_permissions()
        if db_field.name == "groups":
            kwargs |= {"label": gettext("Roles"), "help_text": gettext("What the user may do; several add up.")}
        if db_field.name == "groups" and not request.user.is_superuser:
            beyond = _permissions_beyond(request).values("pk")
            kwargs["queryset"] = Group.objects.exclude(permissions__in=beyond)
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AccountPages):
    """Groups, which are the roles; a superuser may make others."""

    inlines = (RoleRestrictionInline,)
    actions: Any = None

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        """Offer only the permissions that somebody may have."""
        if db_field.name == "permissions":
            kwargs["queryset"] = grantable_permissions()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Return whether the acting user is a superuser: who changes a group changes what they can do themselves."""
        return request.user.is_superuser and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the acting user is a superuser."""
        return request.user.is_superuser and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Return whether the acting user is a superuser."""
        return request.user.is_superuser and super().has_delete_permission(request, obj)
