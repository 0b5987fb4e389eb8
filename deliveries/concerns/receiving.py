"""What keeps events from coming in: endpoints that only refuse, and endpoints that have gone quiet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Sum
from django.utils.translation import gettext

from deliveries.concerns.concern import Concern, Kind, Level, Page, Place
from deliveries.concerns.sight import Sight
from deliveries.concerns.traffic import FEWEST_REFUSED, in_last_hour, silences
from deliveries.models import Rejection, RejectionCount
from deliveries.stats.own_traffic import SELF_CHECK
from integrations.models import Endpoint, EndpointState


def only_refuse(sight: Sight) -> Iterator[Concern]:
    """Tell of endpoints that have refused all that came in the last hour, or in the last day."""
    found = {pk: each for pk, each in sight.traffic.items() if each.may_only_refuse and receives(sight.endpoints[pk])}
    minutes = in_last_hour(found, sight.now)
    in_hour = {pk: 0 if minutes[pk][True] else minutes[pk][False] for pk in found}
    told = {pk: each for pk, each in found.items() if each.only_refuses_in_day or in_hour[pk] >= FEWEST_REFUSED}
    reasons = _reasons(told, since=sight.now - timedelta(hours=24)) if told else {}
    for pk, each in told.items():
        is_of_hour = in_hour[pk] >= FEWEST_REFUSED
        refused = in_hour[pk] if is_of_hour else each.refused_in_day
        reason = reasons.get(pk, "")
        text = _refused_text(in_hour=is_of_hour, has_reason=bool(reason)) % {
            "refused": f"{refused:,}",
            "reason": reason.replace("_", " "),
        }
        explained = Rejection(reason=reason).explanation if reason else ""
        look = gettext("Open a refusal: its page says what would have matched.")
        mend = f"{explained} {look}".strip()
        # What came through on the same day may come again; else nothing gets in at all.
        level = Level.WARNING if each.taken_in_day else Level.PROBLEM
        place = Place(Page.REJECTIONS, filters={"endpoint": str(pk)})
        yield Concern(Kind.ONLY_REFUSES, level, sight.endpoints[pk].slug, text, mend, place, refused)


def silence(sight: Sight) -> Iterator[Concern]:
    """Tell of endpoints that hear much less than in the same hours of each of the four weeks before."""
    receiving = {pk: each for pk, each in sight.traffic.items() if receives(sight.endpoints[pk])}
    for pk, hours, current, before in silences(receiving, sight.now):
        text = _silence_text(hours, heard_any=bool(current)) % {
            "current": f"{current:,}",
            "hours": hours,
            "before": _span(before),
        }
        mend = gettext(
            "See at the provider whether the webhook is still switched on, and what its deliveries say. "
            "What never arrived can be fetched with a backfill where the provider has one."
        )
        place = Place(Page.ENDPOINT, pk)
        yield Concern(Kind.SILENCE, Level.WARNING, sight.endpoints[pk].slug, text, mend, place, min(before))


def _reasons(endpoints: Collection[UUID], *, since: datetime) -> Mapping[UUID, str]:
    """Return the reason that each endpoint refused most requests for."""
    rows = RejectionCount.objects.filter(endpoint__in=endpoints, hour__gte=since).values_list("endpoint_id", "reason")
    return {pk: reason for pk, reason, _ in rows.annotate(sum=Sum("count")).order_by("sum", "reason")}


def receives(row: Endpoint) -> bool:
    """Return whether the endpoint takes requests of others."""
    return row.retired_at is None and row.state != EndpointState.DISABLED and row.slug != SELF_CHECK


def _span(counts: list[int]) -> str:
    least, most = min(counts), max(counts)
    if least == most:
        return f"{least:,}"
    return gettext("%(least)s to %(most)s") % {"least": f"{least:,}", "most": f"{most:,}"}


def _refused_text(*, in_hour: bool, has_reason: bool) -> str:
    if in_hour and has_reason:
        return gettext("It refused every request of the last hour: %(refused)s, most of them for %(reason)s.")
    if in_hour:
        return gettext("It refused every request of the last hour: %(refused)s.")
    if has_reason:
        return gettext("It refused every request of the last 24 hours: %(refused)s, most of them for %(reason)s.")
    return gettext("It refused every request of the last 24 hours: %(refused)s.")


def _silence_text(hours: int, *, heard_any: bool) -> str:
    if hours == 1 and heard_any:
        return gettext(
            "Only %(current)s came in the last full hour; at the same time of the four weeks before it was %(before)s."
        )
    if hours == 1:
        return gettext(
            "Nothing came in the last full hour; at the same time of the four weeks before it was %(before)s."
        )
    if heard_any:
        return gettext(
            "Only %(current)s came in the last %(hours)s hours; at the same time of the four weeks before it was "
            "%(before)s."
        )
    return gettext(
        "Nothing came in the last %(hours)s hours; at the same time of the four weeks before it was %(before)s."
    )
