"""The pages that replay an event with an edited payload: an editor, then what differs, then the order by POST."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, cast
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries.admin import orders
from deliveries.admin.comparing import NAMED_PLACES, shown
from deliveries.admin.frame import frame
from deliveries.differences import difference
from deliveries.edited_replay import Edit, NotEdited, WrongPayload, payload_of, prepared, read
from deliveries.edited_replay import edited_replay as replay_edited
from deliveries.models import Delivery, Event
from integrations.admin.base import HubAdmin
from integrations.models import Route

#: Larger bodies are no text that anybody edits in a page.
LARGEST_BYTES = 256 * 1024


class PayloadField(forms.CharField):
    """A JSON value of any kind as text; what is none is named with line and column."""

    def clean(self, value: Any) -> Any:
        """Return the value of the text."""
        text = super().clean(value)
        try:
            return read(text)
        except WrongPayload as exc:
            raise ValidationError(str(exc), code="invalid") from exc


class EditForm(forms.Form):
    """What is to run, and where; ``order`` makes of a second click the same order."""

    payload = PayloadField(
        strip=False,
        widget=forms.Textarea(attrs={"class": "hub-input hub-full hub-code", "spellcheck": "false", "rows": 24}),
        help_text="JSON.",
    )
    which = forms.ChoiceField(
        choices=[("route", gettext_lazy("This route only")), ("all", gettext_lazy("All routes that match"))],
        required=False,
    )
    delivery = forms.UUIDField(required=False)
    order = forms.UUIDField(required=False)


def give(admin: HubAdmin, request: HttpRequest, event: Event) -> HttpResponse:
    """Show the editor; by POST what would differ and where it would run; when that is confirmed, carry it out.

    Raises `PermissionDenied` without the permission to replay, or to see the event.
    """
    if not (request.user.has_perm(orders.PERMISSION) and admin.has_view_permission(request, event)):
        raise PermissionDenied
    back = reverse("admin:deliveries_event_change", args=[event.pk])
    try:
        if event.body_bytes > LARGEST_BYTES:
            raise NotEdited(gettext("Its body is too large for a page; the API takes up to 2.5 MiB."))
        stored = payload_of(event)
    except NotEdited as exc:
        messages.warning(request, gettext("It cannot be replayed with an edited payload. %(exc)s") % {"exc": exc})
        return HttpResponseRedirect(back)
    if request.method != "POST":
        first = {"payload": json.dumps(stored, indent=2, ensure_ascii=False), "delivery": request.GET.get("delivery")}
        return _editor(admin, request, event, EditForm(initial=first), started_from=_delivery(event, first["delivery"]))
    form = EditForm(request.POST)
    if request.POST.get("step") == "edit" or not form.is_valid():
        # Whoever comes back to go on editing has not made a mistake yet.
        started_from = _delivery(event, request.POST.get("delivery"))
        return _editor(admin, request, event, form, started_from=started_from)
    return _order(admin, request, event, form, stored)


def _order(admin: HubAdmin, request: HttpRequest, event: Event, form: EditForm, stored: Any) -> HttpResponse:
    values = form.cleaned_data
    started_from = _delivery(event, values["delivery"])
    routes = {started_from.route_id} if started_from and values["which"] != "all" else None
    try:
        if request.POST.get("confirmed") == "yes" and values["order"]:
            return _carried_out(request, event, values, routes)
        edit = prepared(event, values["payload"], routes=routes)
    except NotEdited as exc:
        form.add_error("payload" if isinstance(exc, WrongPayload) else None, str(exc))
        return _editor(admin, request, event, form, started_from=started_from)
    return _question(admin, request, event, edit, stored=stored, started_from=started_from)


def _carried_out(
    request: HttpRequest, event: Event, values: dict[str, Any], routes: Collection[UUID] | None
) -> HttpResponse:
    user = cast(User, request.user)
    made = replay_edited(event, values["payload"], by=user, routes=routes, order=values["order"])
    count = made.deliveries.count()
    text = ngettext(
        "This event was made with your payload, with %(count)d delivery.",
        "This event was made with your payload, with %(count)d deliveries.",
        count,
    )
    messages.success(request, text % {"count": count})
    return HttpResponseRedirect(reverse("admin:deliveries_event_change", args=[made.pk]))


def _delivery(event: Event, pk: Any) -> Delivery | None:
    """Return the delivery of ``event`` that the order was started from; None if it names none."""
    try:
        return event.deliveries.select_related("route").filter(pk=UUID(str(pk))).first()
    except ValueError:
        return None


def _editor(
    admin: HubAdmin, request: HttpRequest, event: Event, form: EditForm, *, started_from: Delivery | None
) -> HttpResponse:
    is_left = request.POST.get("which") == "all"
    context = {
        **_page(admin, request, event, started_from),
        "form": form,
        "shows_errors": request.POST.get("step") != "edit",
        "which": "all" if is_left else "route",
    }
    return TemplateResponse(request, "admin/deliveries/event/edit.html", context)


def _question(
    admin: HubAdmin, request: HttpRequest, event: Event, edit: Edit, *, stored: Any, started_from: Delivery | None
) -> HttpResponse:
    found = difference(stored, edit.payload, limit=NAMED_PLACES)
    context = {
        **_page(admin, request, event, started_from),
        **shown(found),
        "routes": [(route, _remark(route, event, edit)) for route in edit.routes],
        "fields": [(name, request.POST.get(name, "")) for name in ("payload", "which", "delivery")],
        "order": uuid4(),
    }
    return TemplateResponse(request, "admin/deliveries/event/edit_confirm.html", context)


def _page(admin: HubAdmin, request: HttpRequest, event: Event, started_from: Delivery | None) -> dict[str, Any]:
    name, pk = ("delivery", started_from.pk) if started_from else ("event", event.pk)
    return {
        **frame(admin, request, gettext("Replay with an edited payload"), row=event),
        "started_from": started_from,
        "back": reverse(f"admin:deliveries_{name}_change", args=[pk]),
    }


def _remark(route: Route, event: Event, edit: Edit) -> str:
    if not route.takes(event.event_type, edit.payload):
        return gettext("does not take this payload by its filter; it runs all the same")
    is_held = route.paused or edit.endpoint.is_paused
    return gettext("paused: it will be held") if is_held else ""
