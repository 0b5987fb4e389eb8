"""A route's dry run: what it would do with past events, as it is stored or as its form stands. Nothing is done."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from deliveries import audit
from deliveries.admin.frame import frame
from deliveries.admin.route_previews import may_preview
from deliveries.dry_run import MOST, dry_run, past_events
from integrations.admin.base import HubAdmin
from integrations.admin.route_form import RoutePageForm
from integrations.handlers import handlers
from integrations.models import Route


class DryRunForm(forms.Form):
    """Which events."""

    last = forms.IntegerField(
        min_value=1,
        max_value=MOST,
        initial=10,
        label=format_lazy(gettext_lazy("How many of the newest (1 to {most})"), most=MOST),
    )
    after = forms.DateTimeField(required=False, label=gettext_lazy("Received from"))
    before = forms.DateTimeField(required=False, label=gettext_lazy("Received before"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget = UnfoldAdminTextInputWidget()
        for name in ("after", "before"):
            self.fields[name].widget.attrs["placeholder"] = "2026-11-27 06:00"


def show_dry_run(admin: HubAdmin, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask which events; by POST, show what the route would do with them.

    With the fields of the route's own form in the POST (``shadow``), it is that form which is tried, beside the route
    as it is stored. Raises `PermissionDenied` for who may not change routes and see events.
    """
    if not (may_preview(request) and request.user.has_perm("integrations.change_route")):
        raise PermissionDenied
    route = get_object_or_404(Route.objects.live().visible_to(request.user).select_related("endpoint"), pk=pk)
    is_shadow = request.method == "POST" and "shadow" in request.POST
    form = DryRunForm(request.POST if request.method == "POST" and not is_shadow else None)
    context: dict[str, Any] = {"form": form, "is_shadow": is_shadow, "most": MOST}
    if is_shadow:
        edited = _edited(request, route)
        context["problems"] = [(name, texts) for name, texts in edited.errors.items()]
        if edited.is_valid():
            context["rows"] = dry_run(edited.instance, past_events(route, last=10), stored=route)
    elif form.is_valid():
        entered = form.cleaned_data
        events = past_events(route, last=entered["last"], after=entered["after"], before=entered["before"])
        context["rows"] = dry_run(route, events)
    if "rows" in context:
        context["different"] = sum(row.differs for row in context["rows"])
        said = f"Dry run on {len(context['rows'])} past events{', of a form that was not saved' * is_shadow}."
        audit.record(audit.Action.ORDERED, route, by=cast(User, request.user), message=said)
    entry = handlers.get(route.handler)
    page = {**frame(admin, request, gettext("Dry run"), row=route), "is_run": bool(entry and entry.dry_run)}
    return TemplateResponse(request, "admin/integrations/route/dry_run.html", page | context)


def _edited(request: HttpRequest, route: Route) -> Any:
    """Return the route's form as it was filled in, on a copy that nobody saves."""
    form: Any = type("Form", (RoutePageForm,), {"user": request.user})
    candidate = Route.objects.select_related("endpoint").get(pk=route.pk)
    data = request.POST.copy()
    data["endpoint"] = str(route.endpoint_id)
    return form(data, instance=candidate)
