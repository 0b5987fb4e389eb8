"""The order to write what a list shows into a file: by POST, as it is on record, and streamed."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit, saved_views
from deliveries.exporting import FORMATS, formats_of

PERMISSION = "deliveries.export_delivery"


def export(admin: Any, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Answer with a file of what the list at the same filters holds; raises `PermissionDenied` for who may not."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not admin.has_view_permission(request) or not request.user.has_perm(admin.export_permission):
        raise PermissionDenied
    chosen = request.POST.get("format", "")
    if chosen not in dict(formats_of(admin.model)):
        raise Http404
    base = f"admin:{admin.opts.app_label}_{admin.opts.model_name}"
    try:
        rows = admin.get_changelist_instance(request).queryset
    except IncorrectLookupParameters:
        messages.error(request, gettext("The filters of this address mean nothing to the list."))
        return HttpResponseRedirect(reverse(f"{base}_changelist"))
    if admin.checked(request.GET) is not None:
        messages.error(
            request, gettext("What a search by payload finds cannot be exported: narrow the list down otherwise.")
        )
        return HttpResponseRedirect(f"{reverse(f'{base}_changelist')}?{request.GET.urlencode()}")
    written, now = FORMATS[chosen], timezone.now()
    # Before the first row: whoever breaks off has it all the same.
    filters = saved_views.told(request.GET.urlencode())
    message = f"Exported {admin.opts.verbose_name_plural} as {chosen.replace('_', ' ')}: {filters}."
    audit.record(audit.Action.ORDERED, None, by=request.user, message=message, now=now)
    answer = StreamingHttpResponse(written.write(rows, admin.keyset), content_type=written.content_type)
    name = f"{admin.opts.model_name}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.{written.suffix}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer
