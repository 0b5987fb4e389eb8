"""What a provider says it sent and the hub never stored, put through the same path as what arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from django.utils import timezone

from deliveries.models import Event, Verdict
from deliveries.models.sealing import storable
from deliveries.receiving import endpoints, ingest
from deliveries.receiving.dedupe import dedupe_key
from deliveries.receiving.refusals import Unavailable
from deliveries.told import CannotTell, Told
from integrations.contracts import InboundRequest, case_insensitive
from integrations.errors import HubError, MalformedPayload
from integrations.history import Api, History, NotThere, Sent
from integrations.models import Endpoint, EndpointState

log = structlog.get_logger(__name__)

_LONGEST_ID = 255


class NotBackfilled(HubError):
    """Nothing can be stored at this endpoint; the message says why, for the operator."""


@dataclass(frozen=True)
class Progress:
    """How far a backfill is. ``cursor`` is where it goes on, "" once it is over.

    ``asked`` is how many events the provider named; ``known`` were stored before, or arrived meanwhile; ``missing``
    were not there, of which ``stored`` are now, and ``failed`` could not be had or kept.
    """

    asked: int = 0
    known: int = 0
    missing: int = 0
    stored: int = 0
    failed: int = 0
    cursor: str = ""

    def as_json(self) -> dict[str, int]:
        """Return the counts."""
        names = ("asked", "known", "missing", "stored", "failed")
        return {name: getattr(self, name) for name in names}


def backfill(
    row: Endpoint,
    history: History,
    api: Api,
    settings: Mapping[str, Any],
    *,
    since: datetime,
    until: datetime,
    start: Progress | None = None,
    dry_run: bool = False,
    alive: Callable[[], object] = lambda: None,
) -> Iterator[Progress]:
    """Ask what was sent from ``since`` to ``until``, store what is missing, and yield how far it is after each page.

    One page is in memory at a time. Who keeps the last progress goes on with it as ``start``; to begin anew is as
    right, only slower: what is stored is known then. ``alive`` is called before each event is fetched, and what it
    raises ends the backfill. With ``dry_run`` nothing is fetched or stored. Raises `NotBackfilled`,
    `integrations.history.NotAnswered` and `NotThere`, and Django's database errors.
    """
    progress = start or Progress()
    told = _told(row, history, since=since, alive=alive)
    while True:
        page = history.ask(api, settings, since=since, until=until, cursor=progress.cursor)
        missing = _missing(row, page.sent) if told is None else _not_told(told, page.sent)
        progress = replace(
            progress,
            asked=progress.asked + len(page.sent),
            known=progress.known + len(page.sent) - len(missing),
            missing=progress.missing + len(missing),
            cursor=page.cursor,
        )
        # The oldest first, as they would have arrived.
        for sent in () if dry_run else sorted(missing, key=lambda one: one.sent_at):
            alive()
            progress = _counted(progress, _store(row.pk, sent))
        yield progress
        if not page.cursor:
            return


def _counted(progress: Progress, outcome: str) -> Progress:
    counted = replace(progress, **{outcome: getattr(progress, outcome) + 1})
    # It arrived between the look and the store.
    return replace(counted, missing=counted.missing - 1) if outcome == "known" else counted


def _told(row: Endpoint, history: History, *, since: datetime, alive: Callable[[], object]) -> Told | None:
    if history.states is None:
        return None
    try:
        return Told(row, history.states, since=since, alive=alive)
    except CannotTell as exc:
        raise NotBackfilled(str(exc)) from exc


def _not_told(told: Told, page: Sequence[Sent]) -> list[Sent]:
    """Return what nothing that is stored tells of; from then on it counts as told."""
    try:
        told.look()
    except CannotTell as exc:
        raise NotBackfilled(str(exc)) from exc
    missing = []
    for sent in page:
        if not told.knows(sent):
            missing.append(sent)
            told.add(sent)
    return missing


def _missing(row: Endpoint, page: Sequence[Sent]) -> list[Sent]:
    """Return what is not stored, by the provider's id, whatever the endpoint dedupes by: in two indexed questions."""
    by_id = {storable(sent.event_id, _LONGEST_ID): sent for sent in page}
    stored = Event.objects.filter(endpoint=row)
    known = set(stored.filter(event_id__in=by_id).values_list("event_id", flat=True))
    if row.dedupe == "id":
        keys = {_id_key(sent): name for name, sent in by_id.items()}
        known |= {keys[key] for key in stored.filter(dedupe_key__in=keys).values_list("dedupe_key", flat=True)}
    return [sent for name, sent in by_id.items() if name not in known]


def _id_key(sent: Sent) -> str:
    return dedupe_key("id", event_id=sent.event_id, payload=None, body_hash=b"")


def _store(pk: Any, sent: Sent) -> str:
    """Return what became of it: ``stored``, ``known`` or ``failed``."""
    try:
        original = sent.original()
    except NotThere as exc:
        log.warning("backfill.not_there", event_id=sent.event_id, reason=str(exc))
        return "failed"
    # Read anew for each: routes and state may change while the provider is asked.
    live = endpoints.live(_usable(pk))
    request = InboundRequest(
        method="POST",
        url=live.row.url or "",
        query_string="",
        headers=case_insensitive(original.headers),
        body=original.body,
        received_at=timezone.now(),
    )
    if len(request.body) > live.row.max_body_bytes:
        log.warning("backfill.too_large", event_id=sent.event_id, body_bytes=len(request.body))
        return "failed"
    try:
        payload = live.preset.decode(request.content_type, request.body)
        accepted = ingest.accept(live, request, payload, verdict=Verdict.BACKFILLED)
    except (MalformedPayload, Unavailable) as exc:
        log.warning("backfill.not_stored", event_id=sent.event_id, reason=exc.reason)
        return "failed"
    return "known" if accepted.is_duplicate else "stored"


def _usable(pk: Any) -> Endpoint:
    row = Endpoint.objects.live().filter(pk=pk).first()
    if row is None:
        raise NotBackfilled("The endpoint is retired.")
    if row.state == EndpointState.DISABLED:
        raise NotBackfilled("The endpoint is disabled.")
    return row
