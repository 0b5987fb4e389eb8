"""The first page: what needs attention, counted now, each number with the list behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from deliveries import display
from deliveries.admin.activity import activity
from deliveries.blocked_keys import count_needing_order
from deliveries.models import Delivery, DeliveryStatus, ParkedKey, RejectionCount, Worker
from deliveries.models.transitions import DeliveryQuerySet
from deliveries.stats import queue
from integrations.models import Endpoint, Route, groups_of

#: So many dead letters are counted; of more, the card says that there are more.
COUNTED = 1000
#: Deliveries that are due for longer than this mean that nobody is taking them.
LATE = timedelta(minutes=1)


@dataclass(frozen=True)
class Card:
    """One number, what it counts, where the list is, and whether it is good (success), bad (danger) or neither."""

    title: str
    value: str
    note: str
    url: str
    kind: str = "neutral"


def attention(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the index page's ``context`` what the user may see; Unfold calls this."""
    now = timezone.now()
    may = request.user.has_perm
    deliveries = Delivery.objects.visible_to(request.user)
    cards: list[Card] = []
    if may("deliveries.view_delivery"):
        cards += [_dead_letters(deliveries), _oldest_due(request.user, now)]
    # The keys are counted over all routes, whoever asks.
    sees_all = groups_of(request.user) is None
    if sees_all and may("deliveries.view_parkedkey") and (blocked := _blocked_keys()):
        cards.append(blocked)
    if may("deliveries.view_rejection"):
        cards.append(_refused(RejectionCount.objects.visible_to(request.user), now))
    if may("deliveries.view_worker"):
        cards.append(_workers(now))
    context["title"] = "Overview"
    context["cards"] = cards
    if may("deliveries.view_delivery"):
        context["activity"] = activity(request, now=now)
        dead = deliveries.filter(status=DeliveryStatus.DEAD).select_related("event", "route", "endpoint")
        context["dead_letters"] = dead.defer("event__raw_body", "event__sealed", "event__headers").order_by(
            "-created_at"
        )[:8]
    context["has_endpoints"] = Endpoint.objects.live().visible_to(request.user).exists()
    context["may_add_endpoint"] = may("integrations.add_endpoint")
    return context


def _dead_letters(deliveries: DeliveryQuerySet) -> Card:
    count = deliveries.filter(status=DeliveryStatus.DEAD).order_by("-created_at", "-pk")[: COUNTED + 1].count()
    url = reverse("admin:deliveries_delivery_changelist") + f"?status={DeliveryStatus.DEAD}"
    note = "Deliveries that gave up; mend the cause, then replay them." if count else "Nothing has given up."
    shown = f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"
    return Card("Dead letters", shown, note, url, "danger" if count else "success")


def _oldest_due(user: Any, now: datetime) -> Card:
    waiting = queue.look(user, now=now)
    url = reverse("admin:deliveries_delivery_changelist") + f"?status={DeliveryStatus.PENDING}"
    if waiting.oldest_due_at is None:
        return Card("Oldest due", "none", "No delivery waits for a worker.", url, "success")
    age = now - waiting.oldest_due_at
    depth = f"{waiting.depth:,}{' or more' if waiting.is_at_least else ''}"
    return Card(
        "Oldest due",
        display.length(age),
        f"How long it has been waiting for a worker; {depth} in the queue.",
        url,
        "danger" if age > LATE else "success",
    )


def _blocked_keys() -> Card | None:
    """Return how many ordering keys need an order; None where no route has ever ordered its deliveries."""
    if not Route.objects.exclude(ordering_key="").exists() and not ParkedKey.objects.exists():
        return None
    count = count_needing_order()
    url = reverse("admin:deliveries_parkedkey_changelist")
    if not count:
        return Card("Blocked keys", "0", "No ordering key waits for an order.", url, "success")
    return Card("Blocked keys", f"{count:,}", "Ordering keys that stand still until you give an order.", url, "danger")


def _refused(counts: QuerySet[RejectionCount], now: datetime) -> Card:
    since = (now - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    count = counts.filter(hour__gte=since).aggregate(total=Sum("count"))["total"] or 0
    url = reverse("admin:deliveries_rejection_changelist")
    note = f"Requests since {timezone.localtime(since):%H:%M}, all reasons."
    return Card("Refused", f"{count:,}", note, url, "warning" if count else "success")


def _workers(now: datetime) -> Card:
    alive = Worker.objects.alive(now).count()
    url = reverse("admin:deliveries_worker_changelist")
    if not alive:
        return Card("Workers", "0", "No worker is heard of: deliveries wait until one runs.", url, "danger")
    return Card("Workers", f"{alive:,}", "Alive and taking deliveries.", url, "success")
