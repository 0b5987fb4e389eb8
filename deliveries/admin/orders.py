"""An operator's orders about deliveries: asked for once more on a page of their own, then carried out by POST."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries import replay
from deliveries.admin.frame import frame
from deliveries.bulk_replay import HIGHEST_RATE, LOWEST_RATE
from deliveries.models import Delivery, DeliveryStatus
from deliveries.models.sealing import storable
from deliveries.models.states import DISCARDABLE
from deliveries.models.transitions import DeliveryQuerySet
from integrations.admin.base import HubAdmin

PERMISSION = "deliveries.replay_delivery"
#: What is kept of why deliveries were discarded.
REASON_CHARACTERS = 200


@dataclass(frozen=True)
class Order:
    """One kind of order: what it is called, what it does to which deliveries, and the verb that carries it out."""

    name: str
    title: str | Promise
    consequence: str | Promise
    #: What is said of so many deliveries once it is carried out, with ``%(count)d`` for the number.
    done: Callable[[int], str]
    legal: tuple[DeliveryStatus, ...]
    carry_out: Callable[[DeliveryQuerySet, User, str], int]
    is_destructive: bool = False
    asks_reason: bool = False
    needs_body: bool = False


REPLAY = Order(
    name="replay",
    title=gettext_lazy("Replay"),
    consequence=gettext_lazy(
        "They run again at once, with a new retry budget. Steps whose results were kept are not repeated."
    ),
    done=lambda count: ngettext("%(count)d delivery will run again.", "%(count)d deliveries will run again.", count),
    legal=replay.REPLAYABLE,
    needs_body=True,
    carry_out=lambda rows, user, _reason: replay.replay(rows, by=user),
)
REPLAY_FROM_START = Order(
    name="replay_from_start",
    title=gettext_lazy("Replay from the start"),
    consequence=gettext_lazy(
        "They run again at once, with a new retry budget, and repeat every step: kept results are forgotten."
    ),
    done=lambda count: ngettext(
        "%(count)d delivery will run again from the start.",
        "%(count)d deliveries will run again from the start.",
        count,
    ),
    legal=replay.REPLAYABLE,
    needs_body=True,
    carry_out=lambda rows, user, _reason: replay.replay(rows, by=user, from_start=True),
)
DISCARD = Order(
    name="discard",
    title=gettext_lazy("Discard"),
    consequence=gettext_lazy("They will not run. They can be replayed later."),
    done=lambda count: ngettext("%(count)d delivery discarded.", "%(count)d deliveries discarded.", count),
    legal=DISCARDABLE,
    carry_out=lambda rows, user, reason: replay.discard(rows, by=user, reason=reason),
    is_destructive=True,
    asks_reason=True,
)
ORDERS = {order.name: order for order in (REPLAY, REPLAY_FROM_START, DISCARD)}


def give(
    admin: HubAdmin,
    request: HttpRequest,
    deliveries: DeliveryQuerySet,
    order: Order,
    *,
    back: str,
    hidden: list[tuple[str, str]],
) -> HttpResponse:
    """Ask whether ``order`` is meant for ``deliveries``, naming their number by status; when confirmed, carry it out.

    ``hidden`` are the fields that the page posts back to the same address, ``back`` is where to go afterwards.
    Raises `PermissionDenied` without the permission.
    """
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if request.POST.get("confirmed") == "yes":
        asked = deliveries.count()
        reason = storable(request.POST.get("reason", "").strip(), REASON_CHARACTERS)
        moved = order.carry_out(deliveries, cast(User, request.user), reason)
        _report(request, order, moved=moved, left=asked - moved)
        return HttpResponseRedirect(back)
    return TemplateResponse(
        request, "admin/deliveries/delivery/confirm.html", _question(admin, request, deliveries, order, back, hidden)
    )


class RateForm(forms.Form):
    """How fast what was held is let go; nothing entered is all at once."""

    rate_per_second = forms.FloatField(required=False, min_value=LOWEST_RATE, max_value=HIGHEST_RATE)


def resume(request: HttpRequest, verb: Callable[..., int]) -> None:
    """Let go with ``verb`` what was held, at the rate that the form says, and say how many; or say what is no rate."""
    form = RateForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, gettext("Deliveries per second: %(value)s") % {"value": form.errors["rate_per_second"][0]}
        )
        return
    rate: float | None = form.cleaned_data["rate_per_second"]
    moved = verb(by=cast(User, request.user), rate_per_second=rate)
    done = (
        gettext("Resumed (%(moved)s released).") % {"moved": moved}
        if rate is None
        else gettext("Resumed: %(moved)s to release, %(rate)s per second.") % {"moved": moved, "rate": f"{rate:g}"}
    )
    messages.success(request, done)


def _question(
    admin: HubAdmin,
    request: HttpRequest,
    deliveries: DeliveryQuerySet,
    order: Order,
    back: str,
    hidden: list[tuple[str, str]],
) -> dict[str, Any]:
    counts = Counter(deliveries.order_by().values_list("status", flat=True))
    by_status = [
        {"status": status, "count": counts[status], "is_legal": status in order.legal}
        for status in DeliveryStatus
        if counts[status]
    ]
    without = deliveries.filter(status__in=order.legal, event__body_removed_at__isnull=False)
    bodiless = without.count() if order.needs_body else 0
    total = sum(counts.values())
    return {
        **frame(admin, request, order.title, row=_the_one(deliveries) if total == 1 else None),
        "order": order,
        "by_status": by_status,
        "legal_count": sum(counts[status] for status in order.legal) - bodiless,
        "bodiless": bodiless,
        "total": total,
        "back": back,
        "hidden": hidden,
    }


def _the_one(deliveries: DeliveryQuerySet) -> Delivery | None:
    named = deliveries.select_related("event", "route").only("event__event_type", "route__name")
    return named.first()


def _report(request: HttpRequest, order: Order, *, moved: int, left: int) -> None:
    if moved:
        messages.success(request, order.done(moved) % {"count": moved})
    if left > 0:
        if order.needs_body:
            text = ngettext(
                "%(count)d delivery was left as it is: not in a state to %(order)s, or their body was removed.",
                "%(count)d deliveries were left as they are: not in a state to %(order)s, or their body was removed.",
                left,
            )
        else:
            text = ngettext(
                "%(count)d delivery was left as it is: not in a state to %(order)s.",
                "%(count)d deliveries were left as they are: not in a state to %(order)s.",
                left,
            )
        messages.warning(request, text % {"count": left, "order": str(order.title).lower()})
