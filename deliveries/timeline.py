"""What happened to an event and to a delivery, from the receipt to the end, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from deliveries.models import Attempt, Delivery, DeliveryStatus, Event, Outcome, StepResult, Trigger, Verdict
from deliveries.models.event import EDITED_PAYLOAD
from deliveries.models.states import FINISHED
from deliveries.models.transitions import GIVEN_BACK, MOST_GIVE_BACKS
from integrations import errors

#: Shorter gaps are the way of a delivery to a worker, not a wait.
SHORTEST_WAIT = timedelta(seconds=1)

_VERDICTS: dict[str, str | Promise] = {
    Verdict.VERIFIED: gettext_lazy("Verified: it proved where it came from"),
    Verdict.UNVERIFIED: gettext_lazy("Not verified: the endpoint asks for no proof"),
    Verdict.INTERNAL: gettext_lazy("Needed no proof: the hub made it"),
    Verdict.BACKFILLED: gettext_lazy("Needed no proof: the hub fetched it from the provider"),
    Verdict.REVERIFIED: gettext_lazy("Refused at first, verified later"),
}
_ENDS: dict[str, str | Promise] = {
    DeliveryStatus.SUCCEEDED: gettext_lazy("Succeeded"),
    DeliveryStatus.DEAD: gettext_lazy("Gave up: a dead letter"),
    DeliveryStatus.DISCARDED: gettext_lazy("Discarded"),
}
#: The hub's own errors that spend no attempt.
_UNSPENT: dict[str, type[errors.RetryLater]] = {
    name: error
    for name, error in vars(errors).items()
    if isinstance(error, type) and issubclass(error, errors.RetryLater) and not error.spends_attempt
}


class Kind(StrEnum):
    """What an entry tells of."""

    RECEIVED = "received"
    VERIFIED = "verified"
    ROUTED = "routed"
    LEFT_OUT = "left_out"
    WAITED = "waited"
    REPLAYED = "replayed"
    ATTEMPT = "attempt"
    STEP = "step"
    NEXT = "next"
    END = "end"


@dataclass(frozen=True)
class Entry:
    """Something that happened ``at`` a time, or will; None for a gap, what is left out, and what is held.

    ``duration_ms`` is how long an attempt or a wait took, and how long after the receipt the routing and the end were;
    None where it is not known or means nothing. ``link`` is an address, "" without one. ``state`` is the outcome or
    status, ``note`` what is to be known besides; both may be "".
    """

    at: datetime | None
    kind: Kind
    text: str
    duration_ms: int | None = None
    link: str = ""
    state: str = ""
    note: str = ""

    @property
    def duration(self) -> timedelta | None:
        """``duration_ms`` as a span."""
        return None if self.duration_ms is None else timedelta(milliseconds=self.duration_ms)


def timeline_of(
    delivery: Delivery, *, attempts: Sequence[Attempt], steps: Sequence[StepResult], left_out: str = ""
) -> list[Entry]:
    """Return what happened to ``delivery``, the earliest first; asks no database if its relations are loaded.

    ``attempts`` and ``steps`` come in any order; ``left_out`` says which earlier ones are not among them. The keys of
    steps at a sensitive endpoint are not told: handlers make them from what came.
    """
    ordered = sorted(attempts, key=lambda attempt: attempt.number)
    entries = list(_beginning(delivery))
    if left_out:
        entries.append(Entry(None, Kind.LEFT_OUT, left_out))
    happened = [
        *(_attempt(delivery, attempt) for attempt in ordered),
        *_replay(delivery, ordered),
        *(_step(delivery, step, ordered) for step in steps),
    ]
    happened.sort(key=lambda moment: moment.at)
    entries += _with_gaps(
        [*happened, *_ending(delivery, delivery.event)], since=None if left_out else delivery.created_at
    )
    return entries


def timeline_of_event(event: Event, deliveries: Sequence[Delivery]) -> list[Entry]:
    """Return what happened to ``event``, the earliest first: its receipt, and how its ``deliveries`` began and ended.

    Asks no database if the routes of the deliveries are loaded.
    """
    entries = list(_receipt(event))
    queued = [(delivery.created_at, _queued(event, delivery)) for delivery in deliveries]
    ended = [(moment.at, moment.entry) for delivery in deliveries for moment in _end_of(event, delivery)]
    return entries + [entry for _, entry in sorted([*queued, *ended], key=lambda item: item[0])]


def _queued(event: Event, delivery: Delivery) -> Entry:
    page = reverse("admin:deliveries_delivery_change", args=[delivery.pk])
    took = _ms(delivery.created_at - event.received_at)
    return Entry(
        delivery.created_at,
        Kind.ROUTED,
        gettext("Queued for route %(route)s") % {"route": delivery.route.name},
        took,
        link=page,
    )


def _end_of(event: Event, delivery: Delivery) -> Iterator[_Moment]:
    for moment in _ending(delivery, event):
        entry = moment.entry
        text = f"{delivery.route.name}: {entry.text[:1].lower()}{entry.text[1:]}"
        if entry.kind == Kind.END and delivery.attempt_count:
            text = gettext("%(what)s at attempt %(number)s") % {"what": text, "number": delivery.attempt_count}
        yield replace(moment, entry=replace(entry, text=text))


@dataclass(frozen=True)
class _Moment:
    """An entry, when it was, how the gap before it is told ("" where none is), and from when on nothing ran again."""

    at: datetime
    entry: Entry
    free_from: datetime | None = None
    gap: str = ""


def _with_gaps(moments: Sequence[_Moment], *, since: datetime | None) -> Iterator[Entry]:
    """Yield the entries of ``moments`` and, before those that name a ``gap``, how long nothing ran, if it was long."""
    for moment in moments:
        if moment.gap:
            if since is not None and (gap := moment.at - since) >= SHORTEST_WAIT:
                yield Entry(None, Kind.WAITED, moment.gap.format(in_words(gap)), _ms(gap))
            since = moment.free_from
        yield moment.entry


def _beginning(delivery: Delivery) -> Iterator[Entry]:
    event = delivery.event
    received, verified = _receipt(event)
    yield replace(received, link=reverse("admin:deliveries_event_change", args=[event.pk]))
    yield verified
    yield Entry(
        delivery.created_at,
        Kind.ROUTED,
        gettext("Queued for route %(route)s") % {"route": delivery.route.name},
        _ms(delivery.created_at - event.received_at),
        link=reverse("admin:integrations_route_change", args=[delivery.route_id]),
    )


def _receipt(event: Event) -> Iterator[Entry]:
    yield Entry(event.received_at, Kind.RECEIVED, _received(event))
    yield Entry(event.received_at, Kind.VERIFIED, str(_VERDICTS.get(event.verdict, event.verdict)), state=event.verdict)


def _received(event: Event) -> str:
    values = {"type": event.event_type or gettext("event without a type"), "who": event.requested_by}
    if event.verdict == Verdict.INTERNAL:
        text = gettext("Made: %(type)s") % values
    else:
        text = gettext("Received: %(type)s") % values
    if not event.requested_by:
        return text
    if EDITED_PAYLOAD in event.flags:
        return gettext("%(received)s, with an edited payload by %(who)s") % {**values, "received": text}
    return gettext("%(received)s, under a known id; %(who)s accepted it as an event of its own") % {
        **values,
        "received": text,
    }


def _attempt(delivery: Delivery, attempt: Attempt) -> _Moment:
    duration = attempt.duration
    entry = Entry(
        attempt.started_at,
        Kind.ATTEMPT,
        _attempted(attempt),
        None if duration is None else _ms(duration),
        link=f"#attempt-{attempt.number}",
        state=attempt.outcome,
        note=_unspent(delivery, attempt),
    )
    # Of an earlier replay it is not on record when it was ordered.
    is_earlier = attempt.trigger == Trigger.REPLAY and not _is_latest_replay(delivery, attempt)
    gap = gettext("{} later") if is_earlier else gettext("waited {}")
    return _Moment(attempt.started_at, entry, attempt.finished_at, gap)


def _attempted(attempt: Attempt) -> str:
    """Return an attempt in words, with its trigger where that does not follow from the order."""
    values = {"number": attempt.number, "who": attempt.requested_by}
    match attempt.trigger:
        case Trigger.REPLAY if attempt.requested_by:
            return gettext("Attempt %(number)s, a replay asked for by %(who)s") % values
        case Trigger.REPLAY:
            return gettext("Attempt %(number)s, a replay") % values
        case Trigger.TAKEOVER:
            return gettext("Attempt %(number)s, taken over") % values
        case _:
            return gettext("Attempt %(number)s") % values


def _is_latest_replay(delivery: Delivery, attempt: Attempt) -> bool:
    return delivery.replayed_at is not None and attempt.started_at >= delivery.replayed_at


def _unspent(delivery: Delivery, attempt: Attempt) -> str:
    """Return why ``attempt`` was not counted; "" if it was, or if that cannot be told from what is kept.

    The name of an error is anybody's to use, so its module has to be in the traceback. How many attempts were given
    back is only known since the latest replay.
    """
    error = _UNSPENT.get(attempt.error_type)
    if error is not None and f"\n{error.__module__}.{attempt.error_type}" in f"\n{attempt.traceback}":
        if issubclass(error, errors.NotCalled):
            return gettext("not called; no attempt spent")
        return gettext("not over yet; no attempt spent")
    since_replay = delivery.replayed_at is None or _is_latest_replay(delivery, attempt)
    given_back = attempt.outcome == Outcome.LOST and attempt.error_message == GIVEN_BACK
    if given_back and since_replay and delivery.give_backs <= MOST_GIVE_BACKS:
        return gettext("given back; no attempt spent")
    return ""


def _replay(delivery: Delivery, attempts: Sequence[Attempt]) -> Iterator[_Moment]:
    if delivery.replayed_at is None:
        return
    by = delivery.requested_by if delivery.next_trigger == Trigger.REPLAY else ""
    made = (attempt.requested_by for attempt in attempts if _is_latest_replay(delivery, attempt))
    by = by or next(made, "")
    text = gettext("Replay ordered by %(who)s") % {"who": by} if by else gettext("Replay ordered")
    entry = Entry(delivery.replayed_at, Kind.REPLAYED, text)
    yield _Moment(delivery.replayed_at, entry, delivery.replayed_at, gettext("nothing happened for {}"))


def _step(delivery: Delivery, step: StepResult, attempts: Sequence[Attempt]) -> _Moment:
    is_hidden = delivery.endpoint.sensitive
    text = gettext("A step done and kept") if is_hidden else gettext("Step %(key)s done and kept") % {"key": step.key}
    for attempt in reversed(attempts):
        if attempt.started_at <= step.created_at and (
            attempt.finished_at is None or step.created_at <= attempt.finished_at
        ):
            text = gettext("%(done)s, %(span)s into attempt %(number)s") % {
                "done": text,
                "span": in_words(step.created_at - attempt.started_at),
                "number": attempt.number,
            }
            break
    return _Moment(step.created_at, Entry(step.created_at, Kind.STEP, text))


def _ending(delivery: Delivery, event: Event) -> Iterator[_Moment]:
    """Yield the end, or what comes next; nothing while it runs."""
    if delivery.status in FINISHED and delivery.finished_at is not None:
        took = _ms(delivery.finished_at - event.received_at)
        end = Entry(delivery.finished_at, Kind.END, str(_ENDS[delivery.status]), took, state=delivery.status)
        gap = gettext("nothing happened for {}") if delivery.status == DeliveryStatus.DISCARDED else ""
        yield _Moment(delivery.finished_at, end, gap=gap)
    elif delivery.status == DeliveryStatus.HELD:
        yield _Moment(delivery.due_at, Entry(None, Kind.NEXT, gettext("Held"), state=delivery.status))
    elif delivery.status != DeliveryStatus.RUNNING:
        text = gettext("Next attempt due") if delivery.attempt_count else gettext("First attempt due")
        yield _Moment(delivery.due_at, Entry(delivery.due_at, Kind.NEXT, text, state=delivery.status))


def _ms(span: timedelta) -> int:
    return max(0, round(span / timedelta(milliseconds=1)))


def in_words(span: timedelta) -> str:
    """Return a span in its two largest units, without the second where it is nothing: 40 ms, 5 min, 1 h 10 min, 3 d."""
    if span < timedelta(seconds=1):
        return f"{_ms(span)} ms"
    seconds = round(span.total_seconds())
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    place = next((place for place, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
    first, size = units[place]
    words = f"{seconds // size} {first}"
    if place + 1 < len(units):
        second, smaller = units[place + 1]
        rest = seconds % size // smaller
        words += f" {rest} {second}" if rest else ""
    return words
