"""Why a delivery is not running: a sentence from live state, for one or for a list in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone

from deliveries import audit
from deliveries.blocked_keys import heads
from deliveries.models import AuditEntry, Delivery, DeliveryStatus, ParkedKey, Worker
from deliveries.models.ordering import Key
from deliveries.models.states import CLAIMABLE
from deliveries.models.worker import SILENT_AFTER
from integrations.models import Endpoint, EndpointState, Route

#: How the entry of a pause in the audit log begins, see `deliveries.hold`.
_PAUSED = "Paused;"


@dataclass(frozen=True)
class Part:
    """A piece of a sentence; one that names a row says which: ``delivery``, ``worker``, ``endpoint`` or ``route``."""

    text: str
    names: str = ""
    pk: object = None


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
            return _why_held(row, around) or [Part("Held until an operator resumes it.")]
        case DeliveryStatus.PENDING | DeliveryStatus.WAITING:
            return _why_not_yet(row, around)
        case DeliveryStatus.DEAD:
            return [Part(f"Gave up after attempt {_attempt(row)}: {row.last_error or 'no error kept'}")]
        case DeliveryStatus.DISCARDED:
            return [Part(f"Discarded: {row.last_error or 'no reason given'}")]
        case _:
            return [Part(f"Succeeded at attempt {row.attempt_count}.")]


def _why_running(row: Delivery, around: _Circumstances) -> list[Part]:
    worker = around.workers.get(row.worker)
    named = Part(row.worker, "worker", worker.pk) if worker else Part(row.worker)
    heard = f"heard of {_ago(around.now - worker.beat_at)} ago" if worker else "which nothing is heard of"
    if row.lease_until is not None and row.lease_until >= around.now:
        return [Part("Running on worker "), named, Part(f", {heard}, lease until {_at(row.lease_until)}.")]
    end = "the next live worker takes it over" if around.alive else "no worker is alive to take it over"
    over = f" ran out {_ago(around.now - row.lease_until)} ago" if row.lease_until else " has run out"
    return [Part("The lease of worker "), named, Part(f", {heard},{over}; {end}.")]


def _why_held(row: Delivery, around: _Circumstances) -> list[Part]:
    parts: list[Part] = []
    if row.endpoint.state == EndpointState.PAUSED:
        parts += [Part("Held because "), Part("its endpoint", "endpoint", row.endpoint_id), Part(" is paused")]
        parts += [Part(f"{_by_whom(row.endpoint, around)}.")]
    elif row.route.paused:
        parts += [Part("Held because "), Part("its route", "route", row.route_id), Part(" is paused")]
        parts += [Part(f"{_by_whom(row.route, around)}.")]
    if row.status == DeliveryStatus.HELD and (parked := around.parked.get(Key(row.route_id, row.ordering_key))):
        parts += [
            Part(f"{' ' if parts else ''}Held because its ordering key is parked since {_at(parked.parked_at)}, ")
        ]
        parts += [Part("when "), _delivery(parked.delivery_id), Part(" gave up.")]
    return parts


def _why_not_yet(row: Delivery, around: _Circumstances) -> list[Part]:
    head = around.heads.get(Key(row.route_id, row.ordering_key)) if row.ordering_key else None
    if head is not None and head.pk != row.pk:
        return [Part("Waits behind "), _delivery(head.pk), Part(f" of its ordering key, {_how_it_stands(head)}.")]
    if row.due_at > around.now:
        after = f" after attempt {_attempt(row)}" if row.attempt_count > row.budget_start else ""
        error = f": {row.last_error}" if row.last_error else "."
        return [Part(f"Waits until {_at(row.due_at)}{after}{error}")]
    return _why_held(row, around) or _why_no_worker(row, around)


def _why_no_worker(row: Delivery, around: _Circumstances) -> list[Part]:
    if not around.alive:
        heard = around.last_heard
        last = f" The last was heard of {_ago(around.now - heard)} ago." if heard else ""
        return [Part(f"Due, but no worker is alive.{last}")]
    if all(worker.stopping for worker in around.alive):
        return [Part("Due, but every worker that is alive is stopping.")]
    limit = row.route.concurrency
    if limit is not None and around.running_of.get(row.route_id, 0) >= limit:
        running = around.running_of[row.route_id]
        text = f" has {running} of {limit} deliveries running, and may have no more."
        return [Part("Due, but "), Part("its route", "route", row.route_id), Part(text)]
    if row.bulk and around.live_is_due:
        return [Part("Due, in the lane of bulk replays: live deliveries go first.")]
    running, threads = around.busy
    if 0 < threads <= running:
        return [Part(f"Due, but all workers are busy: {running} of {threads} threads.")]
    return [Part("Due: the next free worker takes it.")]


def _how_it_stands(head: Delivery) -> str:
    error = f": {head.last_error}" if head.last_error else ""
    match head.status:
        case DeliveryStatus.RUNNING:
            return "which is running"
        case DeliveryStatus.WAITING:
            return f"which waits for a retry at {_at(head.due_at)}{error}"
        case DeliveryStatus.DEAD:
            return f"which has to be replayed or discarded, as it gave up{error}"
        case DeliveryStatus.HELD:
            return "which is held"
        case _:
            return "which is due"


def _by_whom(obj: Endpoint | Route, around: _Circumstances) -> str:
    entry = around.pauses.get((audit.kind_of(obj), str(obj.pk)))
    return f", by {entry.who} at {_at(entry.at)}" if entry else ""


def _attempt(row: Delivery) -> str:
    return f"{row.attempt_count - row.budget_start} of {row.route.retry_policy.most_attempts}"


def _delivery(pk: UUID) -> Part:
    return Part(f"delivery {pk}", "delivery", pk)


def _ago(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
