"""What keeps handlers from reaching outside systems: connections whose circuit is open."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext, ngettext

from deliveries.concerns.concern import Concern, Kind, Level, Page, Place
from deliveries.concerns.sight import Sight
from integrations.models import Circuit, Connection, Health, UnnamedHealth


def open_circuits(sight: Sight) -> Iterator[Concern]:
    """Tell of outside systems that are not called, as too many calls failed; one that is tried again is a warning.

    Of those without a connection only who sees all is told: they are nobody's, or of a route that may be another's.
    """
    rows = Connection.objects.live().filter(health__open_until__isnull=False).select_related("health")
    if sight.user is not None:
        rows = rows.visible_to(sight.user)
    for row in rows.order_by("name"):
        yield _concern(row.name, row.health, sight, Place(Page.CONNECTION, row.pk))
    if sight.sees_all:
        waiting = Place(Page.DELIVERIES, filters={"status": "waiting"})
        for health in UnnamedHealth.objects.in_trouble(sight.now).order_by("name", "pk"):
            yield _concern(health.name, health, sight, waiting)


def _concern(name: str, health: Health, sight: Sight, place: Place) -> Concern:
    is_open = health.circuit(sight.now) is Circuit.OPEN
    failures = health.failures
    if is_open:
        text = ngettext(
            "It is not called: %(failures)s call failed in a row, the last with: %(error)s",
            "It is not called: %(failures)s calls failed in a row, the last with: %(error)s",
            failures,
        )
    else:
        text = ngettext(
            "The next call tries it again: %(failures)s call failed in a row, the last with: %(error)s",
            "The next call tries it again: %(failures)s calls failed in a row, the last with: %(error)s",
            failures,
        )
    text %= {"failures": f"{failures:,}", "error": health.last_error or gettext("no error kept")}
    mend = gettext(
        "Deliveries that need it wait without spending an attempt, and go on by themselves once it answers. "
        "See whether the system is down, or its address or credentials were changed."
    )
    level = Level.PROBLEM if is_open else Level.WARNING
    return Concern(Kind.OPEN_CIRCUIT, level, name, text, mend, place, failures)
