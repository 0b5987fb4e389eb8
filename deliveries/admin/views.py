"""The views above a list: those that every hub has, one's own, and what others share; save one, forget one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from deliveries import saved_views

#: What every list has, by the model's name: a name and the filters.
BUILT_IN: Mapping[str, tuple[tuple[str | Promise, str], ...]] = {
    "delivery": (
        (gettext_lazy("Failed last night"), "status=dead&when=last_night"),
        (gettext_lazy("Dead letters"), "status=dead"),
    ),
    "event": ((gettext_lazy("Received today"), "when=today"), (gettext_lazy("Received last night"), "when=last_night")),
    "rejection": (
        (gettext_lazy("Refused today"), "when=today"),
        (gettext_lazy("Refused last night"), "when=last_night"),
    ),
}


@dataclass(frozen=True)
class View:
    """A link above the list; ``note`` says whose it is, ``forget_url`` is "" for what the user may not forget."""

    name: str
    query: str
    is_chosen: bool
    note: str = ""
    forget_url: str = ""


def urls(admin: Any) -> list[Any]:
    """Return the addresses that take the orders to save and to forget a view."""
    base = f"{admin.opts.app_label}_{admin.opts.model_name}"
    view = admin.admin_site.admin_view
    return [
        path("views/save/", view(admin.save_view), name=f"{base}_save_view"),
        path("views/<uuid:pk>/forget/", view(admin.forget_view), name=f"{base}_forget_view"),
    ]


def offered(admin: Any, request: HttpRequest) -> dict[str, Any]:
    """Return the views of the list, and whether what it shows now can be saved as one."""
    name, base = admin.opts.model_name, f"admin:{admin.opts.app_label}_{admin.opts.model_name}"
    current = saved_views.filters_of(request.GET.urlencode())
    shown = [
        View(str(title), query, saved_views.filters_of(query) == current) for title, query in BUILT_IN.get(name, ())
    ]
    for kept in saved_views.views_for(request.user, name):
        is_own = kept.owner_id == request.user.pk
        may_forget = is_own or request.user.is_superuser
        shown.append(
            View(
                kept.name,
                kept.filters,
                kept.filters == current,
                note=(gettext("Shared by you") if kept.is_shared else gettext("Yours"))
                if is_own
                else gettext("Shared by %(owner)s") % {"owner": kept.owner},
                forget_url=reverse(f"{base}_forget_view", args=[kept.pk]) if may_forget else "",
            )
        )
    return {
        "views": shown,
        "list_url": reverse(f"{base}_changelist"),
        "save_view_url": reverse(f"{base}_save_view") if current and not any(view.is_chosen for view in shown) else "",
        "may_share": request.user.has_perm(saved_views.MAY_SHARE),
    }


def save(admin: Any, request: HttpRequest) -> HttpResponse:
    """Keep the filters of the address; raises `PermissionDenied` for who may not see the list."""
    back = _back(admin, request)
    try:
        view = saved_views.save(
            cast(User, request.user),
            admin.opts.model_name,
            name=request.POST.get("name", ""),
            query=request.GET.urlencode(),
            is_shared=request.POST.get("shared") == "yes",
            now=timezone.now(),
        )
    except saved_views.NotAView as exc:
        messages.error(request, str(exc))
    else:
        messages.success(request, gettext("Saved as %(view)s.") % {"view": view.name})
    return HttpResponseRedirect(back)


def forget(admin: Any, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Remove a view that the user is shown; raises `PermissionDenied` for who may not, and `Http404`."""
    back = _back(admin, request)
    mine = {view.pk: view for view in saved_views.views_for(request.user, admin.opts.model_name)}
    if pk not in mine:
        raise Http404
    saved_views.forget(mine[pk], by=cast(User, request.user))
    messages.success(request, gettext("%(name)s is forgotten.") % {"name": mine[pk].name})
    return HttpResponseRedirect(back)


def _back(admin: Any, request: HttpRequest) -> str:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    query = saved_views.filters_of(request.GET.urlencode())
    address = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
    return f"{address}?{query}" if query else address


def refuse_get(request: HttpRequest) -> HttpResponse | None:
    """Return the refusal of what is no POST; None for one."""
    return None if request.method == "POST" else HttpResponseNotAllowed(["POST"])
