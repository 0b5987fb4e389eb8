"""The order to make a test fixture of an event: answered with the files."""

from __future__ import annotations

import io
import zipfile

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext

from deliveries.admin import orders
from deliveries.admin.pages import HubPages
from deliveries.fixture import Fixture, NoFixture, fixture_of
from deliveries.models import Event


def give(admin: HubPages, request: HttpRequest, event: Event) -> HttpResponse:
    """Hand out the fixture of ``event`` as a ZIP archive, and note that; else say why there is none.

    Raises `PermissionDenied` without the permission.
    """
    if not request.user.has_perm(orders.PERMISSION):
        raise PermissionDenied
    try:
        fixture = fixture_of(event)
    except NoFixture as exc:
        messages.warning(request, gettext("No test fixture was made. %(exc)s") % {"exc": exc})
        return HttpResponseRedirect(reverse("admin:deliveries_event_change", args=[event.pk]))
    admin.log_order(request, event, "made a test fixture of it.")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
    response = HttpResponse(_archive(fixture), content_type="application/zip", headers=headers)
    response["Content-Disposition"] = f'attachment; filename="{fixture.name}.zip"'
    return response


def _archive(fixture: Fixture) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, text in fixture.files.items():
            writer.writestr(name, text)
    return archive.getvalue()
