"""A test event of one's own: choose a sample, change its payload, send it through the real receiving path."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from deliveries.admin import orders
from deliveries.admin.frame import frame
from deliveries.admin.pages import HubPages
from deliveries.admin.trying import CurlLine, curl_line, send_test
from deliveries.models import Event
from integrations.admin.fields import JsonObjectField
from integrations.models import Endpoint

#: Events that are offered as samples, and how large one may be.
_OFFERED = 8
_LARGEST_BYTES = 64 * 1024


class PayloadForm(forms.Form):
    """What is sent."""

    event_type = forms.CharField(required=False, max_length=255, widget=forms.TextInput(attrs={"class": "hub-input"}))
    payload = JsonObjectField(
        label=gettext_lazy("Payload"),
        widget=forms.Textarea(attrs={"class": "hub-input hub-full hub-code", "spellcheck": "false"}),
        help_text=gettext_lazy("JSON. For a sender of forms it becomes the form's fields."),
    )


@dataclass(frozen=True)
class _Sample:
    event_type: str
    payload: Any


class TryingPayloadsAdmin(HubPages):
    """Part of the endpoints' pages."""

    def trying_urls(self) -> list[URLPattern]:
        """Return the address of the page."""
        return [path("<uuid:pk>/try/", self.admin_site.admin_view(self.try_out), name="integrations_endpoint_try")]

    def try_out(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show the editor with the sample that was chosen; by POST, send what stands in it."""
        if not request.user.has_perm(orders.PERMISSION):
            raise PermissionDenied
        row = get_object_or_404(Endpoint.objects.live().visible_to(request.user), pk=pk)
        if request.method == "POST":
            form = PayloadForm(request.POST)
            if form.is_valid():
                self._send(request, row, form.cleaned_data)
        else:
            sample = _chosen(request, row)
            form = PayloadForm(initial={"event_type": sample.event_type, "payload": sample.payload})
        may_change = self.has_change_permission(request, row)
        context = {
            **frame(self, request, gettext("Test event"), row=row),
            "form": form,
            "recent": _recent(row) if request.user.has_perm("deliveries.view_event") else [],
            "chosen": request.GET.get("event", ""),
            "curl": curl_line(row, now=timezone.now()) if may_change else CurlLine(),
        }
        return TemplateResponse(request, "admin/integrations/endpoint/try.html", context)

    def _send(self, request: HttpRequest, row: Endpoint, entered: dict[str, Any]) -> None:
        level, text = send_test(
            row, by=request.user, event_type=entered["event_type"], payload=entered["payload"] or None
        )
        if level == messages.SUCCESS:
            self.log_order(request, row, "sent a test event with a payload of their own.")
        messages.add_message(request, level, text)


def _recent(row: Endpoint) -> list[Event]:
    """Return the latest events whose payload may be shown."""
    if row.sensitive:
        return []
    events = Event.objects.filter(endpoint=row, body_bytes__lte=_LARGEST_BYTES).order_by("-received_at")
    return list(events.only("pk", "event_type", "received_at")[:_OFFERED])


def _chosen(request: HttpRequest, row: Endpoint) -> _Sample:
    """Return what the query asks for: a recent event as it was shown, or the provider's own sample of a type."""
    try:
        pk = UUID(request.GET.get("event", ""))
    except ValueError:
        return _own_sample(row, request.GET.get("type", "")[:255])
    if not request.user.has_perm("deliveries.view_event"):
        raise PermissionDenied
    event = get_object_or_404(Event.objects.select_related("endpoint", "batch"), endpoint=row, pk=pk)
    if event.body_bytes > _LARGEST_BYTES:
        return _Sample(event.event_type, None)
    try:
        return _Sample(event.event_type, event.shown_payload)
    except ImproperlyConfigured:
        return _Sample(event.event_type, None)


def _own_sample(row: Endpoint, event_type: str) -> _Sample:
    try:
        sample = row.preset.example(event_type, str(uuid4()), row.settings)
        payload = row.preset.decode(sample.content_type, sample.body)
        json.dumps(payload)
    except (KeyError, TypeError, ValueError):
        return _Sample(event_type, None)
    return _Sample(event_type, payload)
