"""The buttons of an endpoint whose provider delivers the secret itself: wait, confirm, drop."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit, waiting
from deliveries.admin.pages import HubPages
from deliveries.admin.trying import back_to
from deliveries.audit import Action
from integrations.models import Endpoint

PERMISSION = "integrations.add_secret"


class AwaitedSecretAdmin(HubPages):
    """Part of the endpoints' pages."""

    def wait_urls(self) -> list[URLPattern]:
        """Return the addresses of the buttons."""
        view = self.admin_site.admin_view
        return [
            path(f"<uuid:pk>/order/{name}/", view(order), name=f"integrations_endpoint_{name}")
            for name, order in (
                ("await_secret", self.await_secret),
                ("confirm_secret", self.confirm_secret),
                ("drop_secret", self.drop_secret),
            )
        ]

    def wait_panel(self, request: HttpRequest, row: Endpoint) -> dict[str, Any]:
        """Return what the page shows of the wait; nothing to those who may not add secrets."""
        if row.retired_at is not None or not waiting.delivers_secret(row) or not request.user.has_perm(PERMISSION):
            return {}
        return {"awaited": waiting.awaited(row, now=timezone.now())}

    def await_secret(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Let the endpoint wait for its secret."""
        row = self._endpoint(request, pk)
        if row is None:
            return HttpResponseNotAllowed(["POST"])
        try:
            with transaction.atomic():
                waiting.start(row, by=request.user.get_username())
                self.log_order(request, row, "waits for a delivered secret.")
        except waiting.WaitRefused as exc:
            messages.error(request, str(exc))
        else:
            messages.success(request, gettext("The endpoint waits 15 minutes for the provider's secret."))
        return back_to(request, pk)

    def confirm_secret(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Make the delivered secret live."""
        row = self._endpoint(request, pk)
        if row is None:
            return HttpResponseNotAllowed(["POST"])
        try:
            with transaction.atomic():
                secret = waiting.confirm(row)
                change = audit.difference(secret, None, audit.snapshot(secret))
                message = f"confirmed as delivered to {row.slug}."
                audit.record(Action.MADE, secret, by=request.user, message=message, change=change)
        except (waiting.WaitRefused, ValidationError) as exc:
            messages.error(request, "; ".join(getattr(exc, "messages", [str(exc)])))
        else:
            messages.success(request, gettext("The delivered secret is live."))
        return back_to(request, pk)

    def drop_secret(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """End the wait, and forget what came."""
        row = self._endpoint(request, pk)
        if row is None:
            return HttpResponseNotAllowed(["POST"])
        with transaction.atomic():
            waiting.drop(row)
            self.log_order(request, row, "ended the wait for a delivered secret.")
        messages.success(request, gettext("The endpoint no longer waits."))
        return back_to(request, pk)

    def _endpoint(self, request: HttpRequest, pk: UUID) -> Endpoint | None:
        """Return the endpoint, or None for another method than POST; raises for who may not add secrets."""
        if request.method != "POST":
            return None
        if not cast(User, request.user).has_perm(PERMISSION):
            raise PermissionDenied
        return get_object_or_404(Endpoint.objects.live().visible_to(request.user), pk=pk)
