"""Runs that serve many deliveries, kept in the database: which was begun last, and who may begin one now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.utils import timezone

from integrations.connectors.runs import Begun
from integrations.errors import StillRunning
from integrations.models import SharedRun

_LOOK_AGAIN = timedelta(seconds=2)


class StoredRuns:
    """The `integrations.connectors.runs.Runs` of one connection, whose ``identity`` stays as its fields change."""

    def __init__(self, identity: str) -> None:
        self._identity = identity

    def last(self, what: str) -> Begun | None:
        """Return the run that was begun last, by whichever worker."""
        row = SharedRun.objects.exclude(asked_at=None).filter(place=self._place(what)).first()
        return None if row is None or row.asked_at is None else Begun(row.after, row.asked_at)

    @contextmanager
    def alone(self, what: str, *, lease: timedelta) -> Iterator[None]:
        """Go on as the only one; what a killed worker held is free again when its lease is over."""
        now, place = timezone.now(), self._place(what)
        if not SharedRun.objects.take(place, now=now, until=now + lease):
            raise StillRunning(_LOOK_AGAIN, "another worker is about to begin it")
        try:
            yield
        finally:
            SharedRun.objects.give_back(place, until=now + lease)

    def begun(self, what: str, run: Begun) -> None:
        """Tell the others of a run."""
        SharedRun.objects.begun(self._place(what), after=run.after, at=run.at)

    def _place(self, what: str) -> str:
        return hashlib.sha256(json.dumps([self._identity, what]).encode()).hexdigest()
