"""What stands above the list of a large table: what can be done about all that its filters match."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from deliveries import saved_views
from deliveries.admin import views
from deliveries.exporting import MOST_ROWS, formats_of


def list_tools(admin: Any, request: HttpRequest) -> dict[str, Any]:
    """Return what the template above the list shows; nothing for a small table."""
    if not admin.keyset:
        return {}
    base = f"admin:{admin.opts.app_label}_{admin.opts.model_name}"
    return {
        **(views.offered(admin, request) if saved_views.is_kept(admin.opts.model_name) else {}),
        "filters": request.GET.urlencode(),
        "export_url": reverse(f"{base}_export") if request.user.has_perm(admin.export_permission) else "",
        "export_formats": formats_of(admin.model),
        "export_most": MOST_ROWS,
    }
