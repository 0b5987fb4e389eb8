"""What keeps deliveries from getting done: no worker, a queue that grows old, dead letters, keys and pauses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from deliveries.blocked_keys import MOST_SHOWN, count_needing_order
from deliveries.concerns.concern import Concern, Kind, Level, Page, Place
from deliveries.concerns.sight import MOST_DEAD, Sight
from deliveries.models import DeliveryStatus, ParkedKey
from deliveries.self_check import FAILED, NOT_SIGNED, OTHER_ANSWER, STATUS, Part, Seen, Stuck, look
from deliveries.stats import standing
from deliveries.stats.standing import Held
from integrations.models import EndpointState, Route
from integrations.unreachable import Cause

#: Deliveries that are due for longer than this mean that nobody is taking them.
LATE = timedelta(minutes=1)
#: For so long the end of a worker that did not end by order is told.
_TOLD_FOR = timedelta(hours=1)
#: What is held and was made in this time is a backlog that grows.
_RECENT = timedelta(hours=1)
_MOST_HELD = 1000


def no_worker(sight: Sight) -> Iterator[Concern]:
    """Tell that nothing takes deliveries."""
    takers = [row for row in sight.workers_alive if not row.stopping]
    if takers:
        return
    text = gettext("No worker is heard of: events are taken in, and nothing is done with them until one runs.")
    if sight.workers_alive:
        text = gettext("Every worker that is alive is stopping, and none has taken its place.")
    mend = gettext("Start the hub: python manage.py hub. If it runs, its log says what ails the workers.")
    yield Concern(Kind.NO_WORKER, Level.PROBLEM, "", text, mend, Place(Page.WORKERS))


def silent_workers(sight: Sight) -> Iterator[Concern]:
    """Tell of workers that went silent in the middle of their work."""
    for row in sight.workers:
        if row.is_alive(sight.now) or not row.running or row.stopping or row.beat_at < sight.now - _TOLD_FOR:
            continue
        text = gettext("It went silent while it ran %(deliveries)s.") % {"deliveries": _deliveries(row.running)}
        mend = gettext(
            "Workers that are alive take over what it ran. Look in the log for why it ended: memory, or a handler."
        )
        place = Place(Page.WORKER, row.pk)
        yield Concern(Kind.SILENT_WORKER, Level.WARNING, row.name, text, mend, place, row.running, row.beat_at)


def self_check(sight: Sight) -> Iterator[Concern]:
    """Tell that the hub's own event does not come out at the other end."""
    seen = look(sight.now)
    if seen is None or not seen.is_late or seen.endpoint.pk not in sight.endpoints:
        return
    text, mend = _of_self_check(seen)
    place = Place(Page.ENDPOINT, seen.endpoint.pk)
    since = sight.now - timedelta(seconds=seen.age_seconds)
    yield Concern(Kind.SELF_CHECK, Level.PROBLEM, gettext("Self-check"), text, mend, place, since=since)


def _of_self_check(seen: Seen) -> tuple[str, str]:
    """Return what part of the way does not work, and what mends that."""
    stuck = seen.stuck or Stuck(Part.RECEIVING)
    at = "" if stuck.at is None else timezone.localtime(stuck.at).strftime("%H:%M:%S %Z")
    match stuck.part:
        case Part.OFF:
            found = gettext("It is not sent: its endpoint is switched off or paused.")
            mend = gettext("Make the endpoint active, or set HUB_SELF_CHECK_SECONDS to 0.")
        case Part.RECEIVING:
            found, mend = _of_what_did_not_arrive(stuck.detail)
        case Part.VERIFYING:
            found = gettext("Received: yes, at %(at)s. Verified: no, it was refused (%(reason)s).") % {
                "at": at,
                "reason": stuck.detail,
            }
            mend = gettext("Open the endpoint's refusals; retired, it is made anew with a new secret.")
        case Part.ROUTING:
            found = gettext("Received and verified: yes, at %(at)s. Handled: no, it has no delivery.") % {"at": at}
            mend = gettext("Open the endpoint: its route to the handler log is missing or switched off.")
        case _:
            found = gettext("Received and verified: yes, at %(at)s. Handled: no, its delivery is %(status)s.") % {
                "at": at,
                "status": DeliveryStatus(stuck.detail).label.lower(),
            }
            mend = gettext("Open the endpoint's deliveries: do workers take any, and with what error do they end?")
    late = gettext("The hub's own event has not come out within %(longest)d s: the last that did came %(age)d s ago.")
    if seen.took_seconds is None:
        late = gettext("The hub's own event has not come out within %(longest)d s: none has for %(age)d s.")
    return f"{late % {'longest': seen.longest_seconds, 'age': seen.age_seconds}} {found}", mend


def _of_what_did_not_arrive(why: str) -> tuple[str, str]:
    """Return what came of sending it, and what mends that."""
    kind, _, more = why.partition(" ")
    if kind in Cause.values:
        found = gettext("Received: no. HUB_SELF_CHECK_URL cannot be reached: %(cause)s.") % {"cause": Cause(kind).label}
        return found, gettext(
            "Let that address answer the hub's workers, or name another: providers may meet the same."
        )
    if kind == STATUS:
        found = gettext("Received: no. It was answered %(status)s.") % {"status": more}
        return found, gettext(
            "503: the database was away, or load is shed. 3xx: set HUB_SELF_CHECK_URL to where it leads. Others: a "
            "proxy, or another program, answers at HUB_SELF_CHECK_URL."
        )
    if kind == OTHER_ANSWER:
        found = gettext("Received: no. It was answered %(status)s, but not by a hub.") % {"status": more}
        return found, gettext("Set HUB_SELF_CHECK_URL to this hub's own address.")
    if kind == NOT_SIGNED:
        found = gettext("Received: no. It could not be signed.")
        return found, gettext(
            "Retire its endpoint: it is made anew, with a new secret. HUB_ENCRYPTION_KEYS may lack a key."
        )
    if kind == FAILED:
        found = gettext("Received: no. Sending it failed (%(error)s).") % {"error": more}
        return found, gettext("Look in the log for self_check.failed.")
    found = gettext("Received: no.")
    return found, gettext("Does a worker run? If so, look in the log for self_check lines.")


def queue_age(sight: Sight) -> Iterator[Concern]:
    """Tell that what is due has been waiting for too long."""
    found = sight.queue
    if found.oldest_due_at is None or sight.now - found.oldest_due_at <= LATE:
        return
    is_long = found.age(sight.now) > settings.HUB_READY_QUEUE_SECONDS
    depth = or_more(found.depth, is_at_least=found.is_at_least)
    text = gettext("%(depth)s due, and the oldest has been waiting for a worker for more than a minute.") % {
        "depth": depth
    }
    if is_long:
        text = gettext("%(depth)s due, and no worker takes the oldest.") % {"depth": depth}
    running, threads = (sum(getattr(row, name) for row in sight.workers_alive) for name in ("running", "threads"))
    mend = gettext("Look at what is due first, and why it does not run.")
    if 0 < threads <= running:
        mend = gettext(
            "All workers are busy (%(running)s of %(threads)s threads): more HUB_WORKERS or "
            "HUB_WORKER_THREADS, or shorter timeouts of slow routes."
        ) % {"running": running, "threads": threads}
    place = Place(Page.DELIVERIES, filters={"status": "pending"})
    level = Level.PROBLEM if is_long else Level.WARNING
    yield Concern(Kind.QUEUE_AGE, level, gettext("Queue"), text, mend, place, found.depth, found.oldest_due_at)


def dead_letters(sight: Sight) -> Iterator[Concern]:
    """Tell, by route, of deliveries that gave up."""
    for pk, count in sight.dead.items():
        if count > MOST_DEAD:
            text = gettext("%(count)s or more deliveries gave up.") % {"count": f"{MOST_DEAD:,}"}
        else:
            text = ngettext("%(count)s delivery gave up.", "%(count)s deliveries gave up.", count) % {
                "count": f"{count:,}"
            }
        mend = gettext(
            "Open one to see its error, mend the cause, then replay them all; or discard what is not wanted."
        )
        place = Place(Page.DELIVERIES, filters={"status": "dead", "route": str(pk)})
        yield Concern(Kind.DEAD_LETTERS, Level.PROBLEM, _named(sight.routes[pk]), text, mend, place, count)


def blocked_keys(sight: Sight) -> Iterator[Concern]:
    """Tell of ordering keys that stand still until somebody gives an order; they are counted over all routes."""
    if not sight.sees_all:
        return
    if not any(row.ordering_key for row in sight.routes.values()) and not ParkedKey.objects.exists():
        return
    if count := count_needing_order():
        text = ngettext(
            "%(count)s ordering key stands still behind what gave up.",
            "%(count)s ordering keys stand still behind what gave up.",
            count,
        ) % {"count": or_more(count, is_at_least=count >= MOST_SHOWN)}
        mend = gettext("Replay or discard what is in the way, or let the key go on without it.")
        yield Concern(
            Kind.BLOCKED_KEYS, Level.PROBLEM, gettext("Ordering"), text, mend, Place(Page.BLOCKED_KEYS), count
        )


def backlogs(sight: Sight) -> Iterator[Concern]:
    """Tell of pauses behind which deliveries still pile up."""
    paused = {pk: row for pk, row in sight.routes.items() if row.paused or row.endpoint.state == EndpointState.PAUSED}
    if not paused:
        return
    by_endpoint: defaultdict[UUID, list[Held]] = defaultdict(list)
    for pk, found in standing.held(paused, since=sight.now - _RECENT, most=_MOST_HELD).items():
        row = paused[pk]
        if row.endpoint.state == EndpointState.PAUSED:
            by_endpoint[row.endpoint_id].append(found)
        elif found.recent:
            yield _backlog(_named(row), Place(Page.ROUTE, pk), found)
    for endpoint, parts in by_endpoint.items():
        found = Held(sum(part.count for part in parts), sum(part.recent for part in parts))
        if found.recent:
            yield _backlog(sight.endpoints[endpoint].slug, Place(Page.ENDPOINT, endpoint), found)


def _backlog(about: str, place: Place, found: Held) -> Concern:
    held, recent = (or_more(n, is_at_least=n >= _MOST_HELD) for n in (found.count, found.recent))
    text = gettext("Paused, and the backlog grows: %(held)s held, %(recent)s of them from the last hour.") % {
        "held": held,
        "recent": recent,
    }
    mend = gettext(
        "Resume it once the cause is mended, at a rate if there is much; or switch it off if nothing is to come."
    )
    return Concern(Kind.BACKLOG, Level.WARNING, about, text, mend, place, found.count)


def _named(route: Route) -> str:
    return f"{route.endpoint.slug} → {route.name}"


def _deliveries(count: int) -> str:
    return ngettext("%(count)s delivery", "%(count)s deliveries", count) % {"count": f"{count:,}"}


def or_more(count: int, *, is_at_least: bool) -> str:
    """Return a number as text; where it was not counted to the end, with the word that there may be more."""
    return gettext("%(count)s or more") % {"count": f"{count:,}"} if is_at_least else f"{count:,}"
