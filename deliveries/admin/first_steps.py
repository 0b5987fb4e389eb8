"""The first steps: from an empty hub to the first handled event, a page for each, to be left and taken up again."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from deliveries import first_steps, waiting
from deliveries.admin import orders
from deliveries.admin.frame import frame
from deliveries.admin.pages import HubPages
from deliveries.admin.trying import CurlLine, curl_line
from deliveries.first_steps import Step
from deliveries.models import Event, Rejection
from deliveries.racing import validated_again
from deliveries.route_preview import preview
from integrations.admin.guided import GuidedEndpointForm, GuidedRouteForm, GuidedSecretForm, PreviewForm
from integrations.admin.inlines import may_write_secrets
from integrations.handlers import handlers
from integrations.models import Endpoint, Secret
from integrations.providers import providers

_TITLES = {
    Step.SENDER: gettext_lazy("Sender"),
    Step.CONNECT: gettext_lazy("Connect"),
    Step.EVENT: gettext_lazy("First event"),
    Step.ROUTE: gettext_lazy("Route"),
    Step.DONE: gettext_lazy("Done"),
}
#: Presets that stand first: what fits a sender that is not on the list.
_GENERIC = ("generic_hmac", "generic_token", "standard_webhooks")
_REFUSALS = 3


class FirstStepsAdmin(HubPages):
    """Part of the endpoints' pages."""

    def first_steps_urls(self) -> list[URLPattern]:
        """Return the addresses of the steps."""
        view, start = self.admin_site.admin_view, "first-steps"
        return [
            path(f"{start}/", view(self.choose_sender), name="first_steps"),
            path(f"{start}/new/<slug:provider>/", view(self.new_endpoint), name="first_steps_new"),
            path(f"{start}/<uuid:pk>/", view(self.go_on), name="first_steps_go_on"),
            path(f"{start}/<uuid:pk>/connect/", view(self.connect), name="first_steps_connect"),
            path(f"{start}/<uuid:pk>/event/", view(self.first_event), name="first_steps_event"),
            path(f"{start}/<uuid:pk>/event/state/", view(self.event_state), name="first_steps_event_state"),
            path(f"{start}/<uuid:pk>/route/", view(self.choose_handler), name="first_steps_route"),
            path(f"{start}/<uuid:pk>/route/<str:handler>/", view(self.new_route), name="first_steps_handler"),
            path(f"{start}/<uuid:pk>/done/", view(self.all_done), name="first_steps_done"),
            path(f"{start}/<uuid:pk>/done/state/", view(self.done_state), name="first_steps_done_state"),
            path("<uuid:pk>/preview/", view(self.preview_route), name="integrations_endpoint_preview"),
        ]

    # -- the sender ---------------------------------------------------------------------------------------------------
    def choose_sender(self, request: HttpRequest) -> HttpResponse:
        """Show a card for each provider, and what was begun."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        term = request.GET.get("q", "").strip()
        keys = [*_GENERIC, *(key for key in providers if key not in _GENERIC and key != "internal")]
        found = [(key, providers[key]) for key in keys if _speaks_of(key, term)]
        context = {
            "presets": found,
            "term": term,
            "begun": first_steps.begun(request.user),
            "may_add": self.has_add_permission(request),
        }
        return self._page(request, None, Step.SENDER, "choose", context)

    def new_endpoint(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Make the endpoint of a chosen provider."""
        return validated_again(self._new_endpoint, request, provider)

    def _new_endpoint(self, request: HttpRequest, provider: str) -> HttpResponse:
        preset = providers.get(provider)
        if not self.has_add_permission(request):
            raise PermissionDenied
        if preset is None or provider == "internal":
            raise Http404
        row = Endpoint(provider=provider)
        initial = {"slug": _free_slug(provider), "name": "" if _is_generic(provider) else preset.name}
        form = _for(request, GuidedEndpointForm)(request.POST or None, instance=row, preset=preset, initial=initial)
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                made = form.save()
                self.log_addition(request, made, [{"added": {}}])
            return HttpResponseRedirect(reverse("admin:first_steps_connect", args=[made.pk]))
        return self._page(request, None, Step.SENDER, "new", {"form": form, "preset": preset, "key": provider})

    def go_on(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Go to the first step that is not done."""
        row = self._set_up(request, pk)
        step = first_steps.progress(row, now=timezone.now()).next
        name = "route" if step == Step.ROUTE else step.value
        return HttpResponseRedirect(reverse(f"admin:first_steps_{name}", args=[pk]))

    # -- the connection -----------------------------------------------------------------------------------------------
    def connect(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Say what to enter at the provider, and take the secret."""
        row = self._set_up(request, pk)
        may_write = may_write_secrets(request, row)
        form = _for(request, GuidedSecretForm)(request.POST or None, instance=Secret(endpoint=row))
        if request.method == "POST":
            if not may_write:
                raise PermissionDenied
            if form.is_valid():
                with transaction.atomic():
                    secret = form.save()
                    self.log_addition(request, secret, [{"added": {}}])
                return HttpResponseRedirect(reverse("admin:first_steps_event", args=[pk]))
        context = {
            "form": form,
            "may_write": may_write,
            "live": row.secrets.live(timezone.now()).defer("value", "signing_key"),
            "delivers_secret": waiting.delivers_secret(row),
            "awaited": waiting.awaited(row, now=timezone.now()) if may_write else None,
        }
        return self._page(request, row, Step.CONNECT, "connect", context)

    # -- the first event ----------------------------------------------------------------------------------------------
    def first_event(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Wait for the first event, with ways to send one."""
        row = self._set_up(request, pk)
        may_change = self.has_change_permission(request, row)
        context = {
            **self._what_came(request, row),
            "curl": curl_line(row, now=timezone.now()) if may_change else CurlLine(),
            "may_test": request.user.has_perm(orders.PERMISSION),
        }
        return self._page(request, row, Step.EVENT, "event", context)

    def event_state(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Return the part of that page that changes."""
        row = self._set_up(request, pk)
        context = {"original": row, **self._what_came(request, row)}
        return TemplateResponse(request, "admin/deliveries/first_steps/came.html", context)

    def _what_came(self, request: HttpRequest, row: Endpoint) -> dict[str, Any]:
        events = Event.objects.filter(endpoint=row).order_by("-received_at")
        refused = Rejection.objects.filter(endpoint=row).order_by("-received_at")
        event = events.only("pk", "event_type", "received_at", "verdict", "source").first()
        rows = refused.only("pk", "reason", "received_at", "source")[:_REFUSALS]
        return {
            "event": event,
            "refusals": [each for each in rows if event is None or each.received_at > event.received_at],
        }

    # -- the route ----------------------------------------------------------------------------------------------------
    def choose_handler(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show a card for each handler, or for each that the search speaks of."""
        row = self._set_up(request, pk)
        term = request.GET.get("q", "").strip()
        words = term.lower().split()
        found = [handlers[key] for key in handlers]
        context = {
            "handlers": [one for one in found if all(word in f"{one.key} {one.summary}".lower() for word in words)],
            "term": term,
            "routes": row.routes.live().order_by("created_at", "pk"),
            "may_add": request.user.has_perm("integrations.add_route"),
        }
        return self._page(request, row, Step.ROUTE, "handlers", context)

    def new_route(self, request: HttpRequest, pk: UUID, handler: str) -> HttpResponse:
        """Make a route to a chosen handler."""
        row, entry = self._set_up(request, pk), handlers.get(handler)
        if not request.user.has_perm("integrations.add_route"):
            raise PermissionDenied
        if entry is None:
            raise Http404
        initial = {"name": entry.summary.partition(";")[0].rstrip(".")[:80]}
        form = GuidedRouteForm(
            request.POST or None, endpoint=row, handler=handler, user=cast(User, request.user), initial=initial
        )
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():
                made = form.save()
                self.log_addition(request, made, [{"added": {}}])
            messages.success(request, gettext("The route “%(made)s” is on.") % {"made": made})
            return HttpResponseRedirect(reverse("admin:first_steps_done", args=[pk]))
        trials = preview(row, events=(), expression="")
        context = {"form": form, "handler": entry, "trials": trials, "endpoint": row}
        return self._page(request, row, Step.ROUTE, "route", context)

    def preview_route(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Return which of the newest events a route with these globs and this filter takes."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("integrations.view_route") or not request.user.has_perm("deliveries.view_event"):
            raise PermissionDenied
        row = get_object_or_404(Endpoint.objects.visible_to(request.user), pk=pk)
        form = PreviewForm(request.POST)
        trials, problems = [], []
        if form.is_valid():
            trials = preview(row, events=form.cleaned_data["events"], expression=form.cleaned_data["filter"])
        else:
            problems = [text for texts in form.errors.values() for text in texts]
        context = {"trials": trials, "problems": problems, "endpoint": row}
        return TemplateResponse(request, "admin/deliveries/first_steps/preview.html", context)

    # -- the end ------------------------------------------------------------------------------------------------------
    def all_done(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show what became of the newest event."""
        row = self._set_up(request, pk)
        context = {
            **self._newest_delivery(row),
            "routes": row.routes.live().order_by("created_at", "pk"),
            "may_test": request.user.has_perm(orders.PERMISSION),
        }
        return self._page(request, row, Step.DONE, "done", context)

    def done_state(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Return the part of that page that changes."""
        row = self._set_up(request, pk)
        may_test = request.user.has_perm(orders.PERMISSION)
        context = {"original": row, **self._newest_delivery(row), "may_test": may_test}
        return TemplateResponse(request, "admin/deliveries/first_steps/handled.html", context)

    def _newest_delivery(self, row: Endpoint) -> dict[str, Any]:
        newest = first_steps.newest_delivery(row)
        # What came before there was a route was delivered to nobody, and can be now.
        event = None if newest else Event.objects.filter(endpoint=row).order_by("-received_at").only("pk").first()
        return {"delivery": newest, "unrouted": event, "goes_on": newest is None or newest.finished_at is None}

    def _set_up(self, request: HttpRequest, pk: UUID) -> Endpoint:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Endpoint.objects.live().visible_to(request.user), pk=pk)

    def _page(
        self, request: HttpRequest, row: Endpoint | None, step: Step, name: str, context: dict[str, Any]
    ) -> TemplateResponse:
        done = first_steps.progress(row, now=timezone.now()).done if row else frozenset()
        steps = [
            {
                "title": _TITLES[each],
                "is_done": each in done,
                "is_current": each == step,
                "url": reverse(f"admin:first_steps_{each.value}", args=[row.pk]) if row and each != Step.SENDER else "",
            }
            for each in Step
        ]
        return TemplateResponse(
            request,
            f"admin/deliveries/first_steps/{name}.html",
            {
                **frame(self, request, gettext("First steps"), row=row),
                "original": row,
                "preset": providers.get(row.provider) if row else None,
                "sender": _sender(row.provider) if row else "",
                "steps": steps,
                **context,
            },
        )


def _speaks_of(key: str, term: str) -> bool:
    return not term or term.lower() in key or term.lower() in providers[key].name.lower()


def _is_generic(provider: str) -> bool:
    """Return whether the preset is a way to sign, and the name of nobody who sends."""
    return provider in _GENERIC or provider.startswith("generic_")


def _sender(provider: str) -> str:
    preset = providers.get(provider)
    return gettext("the sender") if preset is None or _is_generic(provider) else preset.name


def _free_slug(provider: str) -> str:
    """Return a slug for a first endpoint of ``provider``, or "" where the obvious one is taken."""
    slug = provider.removeprefix("generic_").replace("_", "-")
    taken = Endpoint.objects.live().filter(slug=slug).exists()
    return "" if taken or provider in _GENERIC else slug


def _for(request: HttpRequest, form: Any) -> Any:
    """Return a class of ``form`` that knows who fills it in."""
    return type(form.__name__, (form,), {"user": request.user})
