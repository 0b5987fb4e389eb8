"""Why a delivery is not running: a sentence from live state, for one or for a list in a fixed number of queries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext

from deliveries import audit
from deliveries.blocked_keys import heads
from deliveries.models import AcceptOnly, AuditEntry, Delivery, DeliveryStatus, ParkedKey, Worker
from deliveries.models.ordering import Key
from deliveries.models.states import CLAIMABLE
from deliveries.models.worker import SILENT_AFTER
from deliveries.overload.standing import overload
from integrations.models import Endpoint, EndpointState, Route

#: How the entry of a pause in the audit log begins, see `deliveries.hold`.
_PAUSED = "Paused;"
#: Where a value stands in a sentence.
_PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Part:
    """A piece of a sentence; one that names a row says which: ``delivery``, ``worker``, ``endpoint`` or ``route``.

    One that names a moment has it in ``at``, for pages, which show it in the viewer's zone; ``text`` has it in UTC.
    """

    text: str
    names: str = ""
    pk: object = None
    at: datetime | None = None


@dataclass(frozen=True)
class Reason:
    """Why a delivery is not running, or how it stands. ``str`` gives the sentence."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(part.text for part in self.parts)


def reason_of(delivery: Delivery, *, now: datetime | None = None) -> Reason:
    """Return why ``delivery`` is not running; its endpoint and route are asked for, and should be loaded."""
    return explain([delivery], now=now)[delivery.pk]


def explain(deliveries: Iterable[Delivery], *, now: datetime | None = None) -> dict[UUID, Reason]:
    """Return why each of ``deliveries`` is not running; the number of queries does not depend on theirs."""
    rows = list(deliveries)
    circumstances = _Circumstances(rows, now or timezone.now())
    return {row.pk: Reason(tuple(_parts(row, circumstances))) for row in rows}


class _Circumstances:
    """What is going on around some deliveries; each fact is asked for once, when the first of them needs it."""

    def __init__(self, rows: list[Delivery], now: datetime) -> None:
        self.now = now
        self._rows = rows

    @cached_property
    def workers(self) -> dict[str, Worker]:
        """The workers that are alive, and those that the deliveries run on."""
        named = {row.worker for row in self._rows if row.worker}
        found = Worker.objects.filter(Q(beat_at__gt=self.now - SILENT_AFTER) | Q(name__in=named))
        return {worker.name: worker for worker in found}

    @cached_property
    def alive(self) -> list[Worker]:
        """Those that are heard of."""
        return [worker for worker in self.workers.values() if worker.beat_at > self.now - SILENT_AFTER]

    @cached_property
    def accept_only(self) -> AcceptOnly | None:
        """The switch of accept-only mode; None while it is off."""
        return AcceptOnly.objects.first()

    @cached_property
    def busy(self) -> tuple[int, int]:
        """How many deliveries run on the workers that take some, and how many threads these have."""
        names = {worker.name: worker.threads for worker in self.alive if not worker.stopping}
        running = Delivery.objects.filter(status=DeliveryStatus.RUNNING, worker__in=names).count()
        return running, sum(names.values())

    @cached_property
    def last_heard(self) -> datetime | None:
        """When any worker was last heard of."""
        return Worker.objects.order_by("-beat_at").values_list("beat_at", flat=True).first()

    @cached_property
    def heads(self) -> Mapping[Key, Delivery]:
        """What deliveries with an ordering key wait for."""
        return heads(self._keys(*CLAIMABLE))

    @cached_property
    def parked(self) -> Mapping[Key, ParkedKey]:
        """The ordering keys of held deliveries that are parked."""
        keys = self._keys(DeliveryStatus.HELD)
        if not keys:
            return {}
        routes, texts = {key.route_id for key in keys}, {key.ordering_key for key in keys}
        found = ParkedKey.objects.filter(route__in=routes, ordering_key__in=texts)
        return {row.key: row for row in found}

    @cached_property
    def running_of(self) -> Mapping[UUID, int]:
        """How many deliveries run of routes that limit them."""
        limited = {row.route_id for row in self._rows if row.route.concurrency is not None}
        running = Delivery.objects.filter(status=DeliveryStatus.RUNNING, route__in=limited).order_by()
        return dict(running.values_list("route").annotate(Count("pk")))

    @cached_property
    def live_is_due(self) -> bool:
        """Whether a delivery outside the lane of bulk replays waits for a worker."""
        return Delivery.objects.due(self.now).filter(bulk=False).exists()

    @cached_property
    def pauses(self) -> Mapping[tuple[str, str], AuditEntry]:
        """The latest pause of each paused endpoint and route."""
        ids = [str(row.endpoint_id) for row in self._rows if row.endpoint.state == EndpointState.PAUSED]
        ids += [str(row.route_id) for row in self._rows if row.route.paused]
        kinds = [audit.kind_of(Endpoint), audit.kind_of(Route)]
        entries = AuditEntry.objects.filter(object_type__in=kinds, object_id__in=set(ids), message__startswith=_PAUSED)
        return {(entry.object_type, entry.object_id): entry for entry in entries.order_by("at", "pk")}

    def _keys(self, *statuses: DeliveryStatus) -> set[Key]:
        rows = (row for row in self._rows if row.ordering_key and row.status in statuses)
        return {Key(row.route_id, row.ordering_key) for row in rows}


def _parts(row: Delivery, around: _Circumstances) -> Iterable[Part]:
    match row.status:
        case DeliveryStatus.RUNNING:
            return _why_running(row, around)
        case DeliveryStatus.HELD:
            return _why_held(row, around) or [Part(gettext("Held until an operator resumes it."))]
        case DeliveryStatus.PENDING | DeliveryStatus.WAITING:
            return _why_not_yet(row, around)
        case DeliveryStatus.DEAD:
            error = row.last_error or gettext("no error kept")
            return _said(gettext("Gave up after attempt %(attempt)s: %(error)s"), attempt=_attempt(row), error=error)
        case DeliveryStatus.DISCARDED:
            return _said(gettext("Discarded: %(reason)s"), reason=row.last_error or gettext("no reason given"))
        case _:
            return _said(gettext("Succeeded at attempt %(attempt)s."), attempt=str(row.attempt_count))


def _why_running(row: Delivery, around: _Circumstances) -> list[Part]:
    worker = around.workers.get(row.worker)
    named = Part(row.worker, "worker", worker.pk) if worker else Part(row.worker)
    if worker:
        heard = gettext("heard of %(age)s ago") % {"age": _ago(around.now - worker.beat_at)}
    else:
        heard = gettext("which nothing is heard of")
    if row.lease_until is not None and row.lease_until >= around.now:
        text = gettext("Running on worker %(worker)s, %(heard)s, lease until %(until)s.")
        return _said(text, worker=named, heard=heard, until=_at(row.lease_until))
    if row.lease_until:
        over = gettext("ran out %(age)s ago") % {"age": _ago(around.now - row.lease_until)}
    else:
        over = gettext("has run out")
    if around.alive:
        text = gettext("The lease of worker %(worker)s, %(heard)s, %(over)s; the next live worker takes it over.")
    else:
        text = gettext("The lease of worker %(worker)s, %(heard)s, %(over)s; no worker is alive to take it over.")
    return _said(text, worker=named, heard=heard, over=over)


def _why_held(row: Delivery, around: _Circumstances) -> list[Part]:
    parts: list[Part] = []
    if row.endpoint.state == EndpointState.PAUSED:
        parts += _paused(Part(gettext("its endpoint"), "endpoint", row.endpoint_id), row.endpoint, around)
    elif row.route.paused:
        parts += _paused(Part(gettext("its route"), "route", row.route_id), row.route, around)
    if row.status == DeliveryStatus.HELD and (parked := around.parked.get(Key(row.route_id, row.ordering_key))):
        text = gettext("Held because its ordering key is parked since %(since)s, when %(delivery)s gave up.")
        parts += [Part(" ")] if parts else []
        parts += _said(text, since=_at(parked.parked_at), delivery=_delivery(parked.delivery_id))
    return parts


def _why_not_yet(row: Delivery, around: _Circumstances) -> list[Part]:
    head = around.heads.get(Key(row.route_id, row.ordering_key)) if row.ordering_key else None
    if head is not None and head.pk != row.pk:
        text = gettext("Waits behind %(delivery)s of its ordering key, %(state)s.")
        return _said(text, delivery=_delivery(head.pk), state=_how_it_stands(head))
    if row.due_at > around.now:
        text = gettext("Waits until %(until)s")
        if row.attempt_count > row.budget_start:
            text = gettext("Waits until %(until)s after attempt %(attempt)s")
        error = f": {row.last_error}" if row.last_error else "."
        return [*_said(text, until=_at(row.due_at), attempt=_attempt(row)), Part(error)]
    return _why_held(row, around) or _why_no_worker(row, around)


def _why_no_worker(row: Delivery, around: _Circumstances) -> list[Part]:
    if not around.alive:
        heard = around.last_heard
        if not heard:
            return [Part(gettext("Due, but no worker is alive."))]
        text = gettext("Due, but no worker is alive. The last was heard of %(age)s ago.")
        return _said(text, age=_ago(around.now - heard))
    if all(worker.stopping for worker in around.alive):
        return [Part(gettext("Due, but every worker that is alive is stopping."))]
    if around.accept_only is not None:
        text = gettext("Due, but the hub only accepts events: accept-only mode was switched on by %(who)s at %(at)s.")
        return _said(text, who=around.accept_only.who, at=_at(around.accept_only.since))
    if overload.now.pauses_workers:
        text = gettext("Due, but workers pause: so little is left of the database's disk that it is kept for events.")
        return [Part(text)]
    limit = row.route.concurrency
    if limit is not None and around.running_of.get(row.route_id, 0) >= limit:
        running = around.running_of[row.route_id]
        text = gettext("Due, but %(route)s has %(running)s of %(limit)s deliveries running, and may have no more.")
        route = Part(gettext("its route"), "route", row.route_id)
        return _said(text, route=route, running=str(running), limit=str(limit))
    if row.bulk and around.live_is_due:
        return [Part(gettext("Due, in the lane of bulk replays: live deliveries go first."))]
    running, threads = around.busy
    if 0 < threads <= running:
        text = gettext("Due, but all workers are busy: %(running)s of %(threads)s threads.")
        return _said(text, running=str(running), threads=str(threads))
    return [Part(gettext("Due: the next free worker takes it."))]


def _how_it_stands(head: Delivery) -> list[Part]:
    error = Part(f": {head.last_error}" if head.last_error else "")
    match head.status:
        case DeliveryStatus.RUNNING:
            return [Part(gettext("which is running"))]
        case DeliveryStatus.WAITING:
            return [*_said(gettext("which waits for a retry at %(at)s"), at=_at(head.due_at)), error]
        case DeliveryStatus.DEAD:
            return [Part(gettext("which has to be replayed or discarded, as it gave up")), error]
        case DeliveryStatus.HELD:
            return [Part(gettext("which is held"))]
        case _:
            return [Part(gettext("which is due"))]


def _paused(named: Part, obj: Endpoint | Route, around: _Circumstances) -> list[Part]:
    entry = around.pauses.get((audit.kind_of(obj), str(obj.pk)))
    if entry is None:
        return _said(gettext("Held because %(object)s is paused."), object=named)
    text = gettext("Held because %(object)s is paused, by %(who)s at %(at)s.")
    return _said(text, object=named, who=str(entry.who), at=_at(entry.at))


def _said(text: str, **values: Part | list[Part] | str) -> list[Part]:
    """Return ``text`` in pieces, with the value of its name in place of each ``%(name)s``."""
    shown = {name: [Part(value)] if isinstance(value, str) else value for name, value in values.items()}
    said: list[Part] = []
    for number, piece in enumerate(_PLACE.split(text)):
        value = shown[piece] if number % 2 else Part(piece)
        said += value if isinstance(value, list) else [value]
    return [part for part in said if part.text]


def _attempt(row: Delivery) -> str:
    values = {"number": row.attempt_count - row.budget_start, "most": row.route.retry_policy.most_attempts}
    return gettext("%(number)s of %(most)s") % values


def _delivery(pk: UUID) -> Part:
    return Part(gettext("delivery %(id)s") % {"id": pk}, "delivery", pk)


def _ago(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _at(moment: datetime) -> Part:
    return Part(f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", at=moment)
