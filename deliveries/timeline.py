"""What happened to an event and to a delivery, from the receipt to the end, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.urls import reverse

from deliveries.models import Attempt, Delivery, DeliveryStatus, Event, Outcome, StepResult, Trigger, Verdict
from deliveries.models.event import EDITED_PAYLOAD
from deliveries.models.states import FINISHED
from deliveries.models.transitions import GIVEN_BACK, MOST_GIVE_BACKS
from integrations import errors

#: Shorter gaps are the way of a delivery to a worker, not a wait.
SHORTEST_WAIT = timedelta(seconds=1)

_VERDICTS: dict[str, str] = {
    Verdict.VERIFIED: "Verified: it proved where it came from",
    Verdict.UNVERIFIED: "Not verified: the endpoint asks for no proof",
    Verdict.INTERNAL: "Needed no proof: the hub made it",
    Verdict.BACKFILLED: "Needed no proof: the hub fetched it from the provider",
    Verdict.REVERIFIED: "Refused at first, verified later",
}
_ENDS: dict[str, str] = {
    DeliveryStatus.SUCCEEDED: "Succeeded",
    DeliveryStatus.DEAD: "Gave up: a dead letter",
    DeliveryStatus.DISCARDED: "Discarded",
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
    return Entry(delivery.created_at, Kind.ROUTED, f"Queued for route {delivery.route.name}", took, link=page)


def _end_of(event: Event, delivery: Delivery) -> Iterator[_Moment]:
    for moment in _ending(delivery, event):
        entry = moment.entry
        attempts = f" at attempt {delivery.attempt_count}" if entry.kind == Kind.END and delivery.attempt_count else ""
        text = f"{delivery.route.name}: {entry.text[:1].lower()}{entry.text[1:]}{attempts}"
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
        f"Queued for route {delivery.route.name}",
        _ms(delivery.created_at - event.received_at),
        link=reverse("admin:integrations_route_change", args=[delivery.route_id]),
    )


def _receipt(event: Event) -> Iterator[Entry]:
    yield Entry(event.received_at, Kind.RECEIVED, _received(event))
    yield Entry(event.received_at, Kind.VERIFIED, _VERDICTS.get(event.verdict, event.verdict), state=event.verdict)


def _received(event: Event) -> str:
    kind = event.event_type or "event without a type"
    return f"{'Made' if event.verdict == Verdict.INTERNAL else 'Received'}: {kind}{_by_hand(event)}"


def _by_hand(event: Event) -> str:
    if not event.requested_by:
        return ""
    if EDITED_PAYLOAD in event.flags:
        return f", with an edited payload by {event.requested_by}"
    return f", under a known id; {event.requested_by} accepted it as an event of its own"


def _attempt(delivery: Delivery, attempt: Attempt) -> _Moment:
    duration = attempt.duration
    entry = Entry(
        attempt.started_at,
        Kind.ATTEMPT,
        f"Attempt {attempt.number}{_why(attempt)}",
        None if duration is None else _ms(duration),
        link=f"#attempt-{attempt.number}",
        state=attempt.outcome,
        note=_unspent(delivery, attempt),
    )
    # Of an earlier replay it is not on record when it was ordered.
    gap = "{} later" if attempt.trigger == Trigger.REPLAY and not _is_latest_replay(delivery, attempt) else "waited {}"
    return _Moment(attempt.started_at, entry, attempt.finished_at, gap)


def _why(attempt: Attempt) -> str:
    """Return what to add about an attempt's trigger; nothing for what follows from the order."""
    match attempt.trigger:
        case Trigger.REPLAY:
            return f", a replay asked for by {attempt.requested_by}" if attempt.requested_by else ", a replay"
        case Trigger.TAKEOVER:
            return ", taken over"
        case _:
            return ""


def _is_latest_replay(delivery: Delivery, attempt: Attempt) -> bool:
    return delivery.replayed_at is not None and attempt.started_at >= delivery.replayed_at


def _unspent(delivery: Delivery, attempt: Attempt) -> str:
    """Return why ``attempt`` was not counted; "" if it was, or if that cannot be told from what is kept.

    The name of an error is anybody's to use, so its module has to be in the traceback. How many attempts were given
    back is only known since the latest replay.
    """
    error = _UNSPENT.get(attempt.error_type)
    if error is not None and f"\n{error.__module__}.{attempt.error_type}" in f"\n{attempt.traceback}":
        return f"{'not called' if issubclass(error, errors.NotCalled) else 'not over yet'}; no attempt spent"
    since_replay = delivery.replayed_at is None or _is_latest_replay(delivery, attempt)
    given_back = attempt.outcome == Outcome.LOST and attempt.error_message == GIVEN_BACK
    if given_back and since_replay and delivery.give_backs <= MOST_GIVE_BACKS:
        return "given back; no attempt spent"
    return ""


def _replay(delivery: Delivery, attempts: Sequence[Attempt]) -> Iterator[_Moment]:
    if delivery.replayed_at is None:
        return
    by = delivery.requested_by if delivery.next_trigger == Trigger.REPLAY else ""
    made = (attempt.requested_by for attempt in attempts if _is_latest_replay(delivery, attempt))
    by = by or next(made, "")
    entry = Entry(delivery.replayed_at, Kind.REPLAYED, f"Replay ordered by {by}" if by else "Replay ordered")
    yield _Moment(delivery.replayed_at, entry, delivery.replayed_at, "nothing happened for {}")


def _step(delivery: Delivery, step: StepResult, attempts: Sequence[Attempt]) -> _Moment:
    name = "A step" if delivery.endpoint.sensitive else f"Step {step.key}"
    text = f"{name} done and kept"
    for attempt in reversed(attempts):
        if attempt.started_at <= step.created_at and (
            attempt.finished_at is None or step.created_at <= attempt.finished_at
        ):
            text += f", {in_words(step.created_at - attempt.started_at)} into attempt {attempt.number}"
            break
    return _Moment(step.created_at, Entry(step.created_at, Kind.STEP, text))


def _ending(delivery: Delivery, event: Event) -> Iterator[_Moment]:
    """Yield the end, or what comes next; nothing while it runs."""
    if delivery.status in FINISHED and delivery.finished_at is not None:
        took = _ms(delivery.finished_at - event.received_at)
        end = Entry(delivery.finished_at, Kind.END, _ENDS[delivery.status], took, state=delivery.status)
        gap = "nothing happened for {}" if delivery.status == DeliveryStatus.DISCARDED else ""
        yield _Moment(delivery.finished_at, end, gap=gap)
    elif delivery.status == DeliveryStatus.HELD:
        yield _Moment(delivery.due_at, Entry(None, Kind.NEXT, "Held", state=delivery.status))
    elif delivery.status != DeliveryStatus.RUNNING:
        text = "Next attempt due" if delivery.attempt_count else "First attempt due"
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
