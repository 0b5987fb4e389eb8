"""The site's two views that look rows up by what is typed, for which any query string is an answer, not an error."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import BadRequest
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase


def autocomplete(request: HttpRequest) -> HttpResponseBase:
    """Offer what fits the text typed into a field that chooses a row; 400 for a text that no column can hold."""
    return admin.site.admin_view(_autocomplete)(request)


def search(request: HttpRequest) -> HttpResponseBase:
    """Search the names of the pages; 404 for a page of results that there is not."""
    return admin.site.admin_view(_search)(request)


def _autocomplete(request: HttpRequest) -> HttpResponseBase:
    _refuse_nul(request)
    return admin.site.autocomplete_view(request)


def _search(request: HttpRequest) -> HttpResponseBase:
    _refuse_nul(request)
    try:
        found: HttpResponseBase = admin.site.search(request)  # type: ignore[attr-defined]  # Unfold's site
    except InvalidPage as exc:
        raise Http404(str(exc)) from exc
    return found


def _refuse_nul(request: HttpRequest) -> None:
    if any("\x00" in value for _, values in request.GET.lists() for value in values):
        raise BadRequest("A NUL character is in no column.")
