"""The page that orders a replay of all deliveries that a list shows, after it has said how many of what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time, timedelta
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from deliveries import bulk_replay
from deliveries.admin import orders
from deliveries.admin.filters import moment_in, span_of
from deliveries.admin.frame import frame
from deliveries.models import DeliveryStatus
from deliveries.models.selection import described, in_sight
from deliveries.models.states import FINISHED
from integrations.admin.base import HubAdmin

#: Deliveries that the page counts; of more, it says that there are more.
COUNTED = 10_000


#: The parameter that has the ids of ticked deliveries, and how many it may have.
TICKED, MOST_TICKED = "ids", 200


class ReplayForm(forms.Form):
    """How they are to run."""

    which = forms.ChoiceField(
        choices=[("dead", gettext_lazy("Dead letters only")), ("all", gettext_lazy("All that have finished"))],
        required=False,
    )
    from_start = forms.BooleanField(required=False)
    rate_per_second = forms.FloatField(
        required=False, min_value=bulk_replay.LOWEST_RATE, max_value=bulk_replay.HIGHEST_RATE
    )


class NotAFilter(ValueError):
    """The list is narrowed down by something that an order cannot be given for; the text says by what."""


def order_page(admin: HubAdmin, request: HttpRequest) -> HttpResponse:
    """Show what the list's filters match, by route and status; when confirmed by POST, order its replay.

    Raises `PermissionDenied` without the permission.
    """
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if not request.user.has_perm(orders.PERMISSION):
        raise PermissionDenied
    form = ReplayForm(request.POST if request.method == "POST" else None)
    try:
        selection, problem = in_sight(selection_of(request.GET), request.user), ""
    except NotAFilter as exc:
        selection, problem = {}, str(exc)
    if not problem and form.is_valid():
        chosen = selection
        if "status" not in selection:
            every = [status.value for status in FINISHED]
            chosen = {**selection, "status": every if form.cleaned_data["which"] == "all" else ["dead"]}
        replay = bulk_replay.order(
            chosen,
            by=cast(User, request.user),
            from_start=form.cleaned_data["from_start"],
            rate_per_second=form.cleaned_data["rate_per_second"],
        )
        return HttpResponseRedirect(reverse("admin:deliveries_replay_change", args=[replay.pk]))
    page = "admin/deliveries/replay/order.html"
    return TemplateResponse(request, page, _context(admin, request, selection, form, problem))


def selection_of(params: QueryDict) -> dict[str, Any]:
    """Return the selection that the filters in the list's address mean; raises `NotAFilter`.

    Those that were ticked (`TICKED`) are meant alone, whatever the list was filtered by. What means nothing to the
    list's own filters is no narrower here: it is refused.
    """
    if ticked := params.get(TICKED, "").strip():
        try:
            return {"deliveries": [_uuid(text) for text in ticked.split(",")[:MOST_TICKED]]}
        except ValueError:
            raise NotAFilter(gettext("What was ticked is not known.")) from None
    if params.get("q", "").strip():
        raise NotAFilter(gettext("A search names single deliveries: clear it, or tick them in the list."))
    if params.get("failed_in"):
        raise NotAFilter(
            gettext("What failed again in a replay can be ticked in the list; a filter for it cannot be kept.")
        )
    if params.get("error", "").strip():
        raise NotAFilter(
            gettext("An error's class is no filter of an order: choose the error on the page of failures.")
        )
    selection: dict[str, Any] = {}
    for name, (key, read) in _FILTERS.items():
        if text := params.get(name, "").strip():
            try:
                selection[key] = read(text)
            except ValueError:
                raise NotAFilter(
                    gettext("The filter %(replace)s of the list is not valid.") % {"replace": name.replace("_", " ")}
                ) from None
    event_type = params.get("event_type", "").strip()
    if event_type:
        selection["event_type_prefix" if event_type.endswith("*") else "event_type"] = event_type.removesuffix("*")
    return selection | _span(params)


def _status(text: str) -> list[str]:
    status = DeliveryStatus(text)
    if status not in FINISHED:
        raise NotAFilter(gettext("Deliveries that are %(lower)s cannot be replayed.") % {"lower": status.label.lower()})
    return [status.value]


def _uuid(text: str) -> str:
    return str(UUID(text))


#: The list's filters, and what they are in a selection.
_FILTERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "status": ("status", _status),
    "endpoint": ("endpoint_id", _uuid),
    "route": ("route", _uuid),
    "provider": ("provider", str),
    "fingerprint": ("fingerprint", str),
}


def _span(params: QueryDict) -> dict[str, str]:
    since = [moment for moment in [moment_in(params, "created_at_from", time.min)] if moment]
    # The list includes its end, a selection does not.
    ends = [moment_in(params, "created_at_to", time.max)]
    until = [moment + timedelta(microseconds=1) for moment in ends if moment]
    if when := params.get("when", ""):
        try:
            begin, end = span_of(when, timezone.now())
        except ValueError:
            raise NotAFilter(gettext("The filter when of the list is not valid.")) from None
        since.append(begin)
        until += [end] if end else []
    return {
        **({"created_after": max(since).isoformat()} if since else {}),
        **({"created_before": min(until).isoformat()} if until else {}),
    }


def _context(
    admin: HubAdmin, request: HttpRequest, selection: dict[str, Any], form: ReplayForm, problem: str
) -> dict[str, Any]:
    counts, is_cut = ([], False) if problem else bulk_replay.preview_of_some(selection, most=COUNTED)
    total = sum(row.count for row in counts)
    dead = sum(row.count for row in counts if row.status == DeliveryStatus.DEAD)
    dead_are_cut = is_cut
    if is_cut and "status" not in selection:
        # What was counted is any part of them; the dead letters have an index, and are what is mostly meant.
        counts, dead_are_cut = bulk_replay.preview_of_some({**selection, "status": ["dead"]}, most=COUNTED)
        dead = sum(row.count for row in counts)
    pairs = [(name, value) for name, values in request.GET.lists() for value in values]
    query, filters = urlencode(pairs), urlencode([(name, value) for name, value in pairs if name != TICKED])
    title = gettext("Replay what was ticked") if TICKED in request.GET else gettext("Replay all that match")
    return {
        **frame(admin, request, title),
        "what": described(selection, viewer=request.user),
        "error": bulk_replay.an_error_of(selection) if total and "fingerprint" in selection else "",
        "counts": counts,
        "shown": counts[:100],
        "dead": dead,
        "total": total,
        "asks_which": "status" not in selection and total > dead,
        "is_cut": is_cut,
        "dead_are_cut": dead_are_cut,
        "counted": COUNTED,
        "form": form,
        "problem": problem,
        "query": query,
        "back": reverse("admin:deliveries_delivery_changelist") + (f"?{filters}" if filters else ""),
    }
