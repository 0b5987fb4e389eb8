"""The frame of a page that is neither a list nor the page of a row: the way to it ends with its own title."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise

from deliveries import display
from integrations.admin.base import HubAdmin


def frame(admin: HubAdmin, request: HttpRequest, title: str | Promise, *, row: Model | None = None) -> dict[str, Any]:
    """Return what the templates need of a page about ``row``, or else about the rows of ``admin``.

    It has no ``opts``: by them Unfold takes a page for the list or for the row itself, and leaves its title out.
    """
    way = {"model_admin": admin} if row is None else {"object": row, "original": row}
    return {
        **admin.admin_site.each_context(request),
        **way,
        "title": title,
        "subtitle": "" if row is None else str(display.title(row)),
    }
