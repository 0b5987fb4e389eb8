"""Payloads that do not look as they did: fields that appear, are gone or have another type, and new event types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from django.utils.translation import gettext, ngettext

from deliveries.alerts.finding import Finding
from deliveries.alerts.look import Look
from deliveries.concerns.concern import Page, Place
from deliveries.models import AlertRule, Shape
from deliveries.models.shape import Change, ChangeKind, moment
from deliveries.shapes.telling import in_words

#: Changes, or types, that a text names.
_NAMED = 5


def find(rule: AlertRule, look: Look) -> Iterator[Finding]:
    """Find the event types that have so many changes of the window that nobody has accepted; new types together."""
    since = look.now - timedelta(seconds=rule.window)
    endpoints = look.sight(rule).endpoints
    new: defaultdict[UUID, list[Shape]] = defaultdict(list)
    rows = Shape.objects.shown().changed_since(since).filter(endpoint__in=endpoints)
    for row in rows.defer("fields", "folded").order_by("endpoint_id", "event_type"):
        recent = [change for change in row.open_changes if moment(change["at"]) >= since]
        if any(change["kind"] == ChangeKind.NEW_TYPE for change in recent):
            new[row.endpoint_id].append(row)
        changes = [change for change in recent if change["kind"] != ChangeKind.NEW_TYPE]
        if changes and len(changes) >= rule.limit:
            yield _changed(row, endpoints[row.endpoint_id].slug, changes)
    for pk, shapes in new.items():
        if len(shapes) >= rule.limit:
            yield _new_types(pk, endpoints[pk].slug, shapes)


def _changed(row: Shape, slug: str, changes: Sequence[Change]) -> Finding:
    named = [in_words(change) for change in changes[:_NAMED]]
    if len(changes) > _NAMED:
        more = len(changes) - _NAMED
        named.append(ngettext("%(count)s more change.", "%(count)s more changes.", more) % {"count": more})
    mend = gettext(
        "See what differs, and mend the filters, ordering keys and handlers that read it; then accept the shape."
    )
    place = Place(Page.SHAPE, row.pk)
    return Finding(f"drift:{row.pk}", f"{slug}, {row}", " ".join(named), mend, place, row.endpoint_id)


def _new_types(endpoint: UUID, slug: str, shapes: Sequence[Shape]) -> Finding:
    count = len(shapes)
    text = ngettext(
        "%(count)s event type came that never came before: %(types)s.",
        "%(count)s event types came that never came before: %(types)s.",
        count,
    ) % {"count": count, "types": ", ".join([*map(str, shapes[:_NAMED]), *(["…"] if count > _NAMED else [])])}
    mend = gettext("See whether a route should take it, and accept its shape.")
    place = Place(Page.SHAPES, filters={"endpoint": str(endpoint)}) if count > 1 else Place(Page.SHAPE, shapes[0].pk)
    return Finding(f"drift:new:{endpoint}", slug, text, mend, place, endpoint)
