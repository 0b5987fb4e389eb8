"""What is kept of the steps of a delivery's flow: each step in transactions of its own, at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, router, transaction
from django.utils import timezone

from deliveries.execution import aside
from deliveries.execution.bounded import DEPTH, shortened
from deliveries.execution.steps import STEP_BYTES
from deliveries.models import Delivery, DeliveryStatus, FlowStep, StepState
from deliveries.models.flow_step import OVER
from deliveries.models.sealing import MASK, is_credential, storable
from integrations.errors import AttemptLost
from integrations.flows.record import Begun, Emitted, Kept

logger = structlog.get_logger(__name__)

INPUT_BYTES = 32 * 1024
_ERROR_CHARACTERS = 1000


class DatabaseRecord:
    """The `integrations.flows.record.FlowRecord` of attempt ``number`` of a delivery."""

    def __init__(self, delivery_id: UUID, number: int) -> None:
        self._delivery_id = delivery_id
        self._number = number

    def over(self) -> Mapping[str, Kept]:
        """Return the steps that are over, by name."""
        return {row.name: _kept(row) for row in FlowStep.objects.filter(delivery=self._delivery_id, state__in=OVER)}

    def begin(self, step: Begun) -> int | Kept:
        """Count a try before it is made, like an attempt: one that kills its worker has used it up."""
        aside.refuse_transaction()
        shown = shortened(_without_credentials(step.input), INPUT_BYTES)
        with transaction.atomic(using=router.db_for_write(FlowStep)):
            replayed_at = self._lock_held(step.name)
            row = self._row(step.name)
            if row is None:
                row = FlowStep(delivery_id=self._delivery_id, name=step.name)
            elif row.state in OVER:
                return _kept(row)
            row.tries = row.tries + 1 if row.tries_since == replayed_at else 1
            row.tries_since, row.attempt = replayed_at, self._number
            row.position, row.handler, row.condition = step.position, step.handler, step.condition
            row.state, row.input, row.error = StepState.RUNNING, shown, ""
            row.started_at, row.finished_at = timezone.now(), None
            row.save()
        return row.tries

    def end(self, name: str, kept: Kept) -> Kept:
        """Keep it, whoever did it: of an attempt that has lost its lease too, as `Steps` does.

        Only after a replay from the start nothing of earlier attempts is kept.
        """
        value = {"output": kept.output, "emitted": [list(emitted) for emitted in kept.emitted]}
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as exc:
            raise TypeError(f"it is not JSON: {exc}") from exc
        if len(text) > STEP_BYTES:
            raise ValueError(f"output and emitted events can have at most {STEP_BYTES} bytes together")
        return aside.kept(lambda: self._store(name, _read(json.loads(text), skipped=kept.skipped), timezone.now()))

    def fail(self, name: str, text: str, *, spent: bool) -> None:
        """Note the error, unless another worker has begun the step meanwhile; the attempt's own error says it too."""
        rows = FlowStep.objects.filter(
            delivery=self._delivery_id, name=name, attempt=self._number, state=StepState.RUNNING
        )
        try:
            row = rows.first()
            if row is not None:
                tries = row.tries if spent else max(row.tries - 1, 0)
                error = storable(text, _ERROR_CHARACTERS)
                rows.update(state=StepState.FAILED, finished_at=timezone.now(), error=error, tries=tries)
        except DatabaseError:
            logger.warning("flow.failure_not_noted", delivery=str(self._delivery_id), step=name)

    def _store(self, name: str, kept: Kept, now: datetime) -> Kept:
        with transaction.atomic(using=router.db_for_write(FlowStep)):
            rows = Delivery.objects.select_for_update(no_key=True).filter(pk=self._delivery_id)
            start = rows.values_list("steps_start", flat=True).first()
            row = self._row(name)
            if start is None or self._number <= start or row is None:
                logger.warning("step.not_kept", delivery=str(self._delivery_id), attempt=self._number)
                return kept
            if row.state in OVER:
                return _kept(row)
            row.state = StepState.SKIPPED if kept.skipped else StepState.SUCCEEDED
            row.kept = {"output": kept.output, "emitted": [list(emitted) for emitted in kept.emitted]}
            row.finished_at, row.error = now, ""
            row.save(update_fields=["state", "kept", "finished_at", "error"])
        return kept

    def _lock_held(self, name: str) -> datetime | None:
        """Lock the delivery and return when it was last replayed; raises `AttemptLost`."""
        rows = Delivery.objects.select_for_update(no_key=True).filter(pk=self._delivery_id)
        found = rows.values_list("status", "attempt_count", "replayed_at").first()
        if found is None or found[:2] != (DeliveryStatus.RUNNING, self._number):
            raise AttemptLost(f"Another worker has taken the delivery over; the step {name!r} is left to it.")
        replayed_at: datetime | None = found[2]
        return replayed_at

    def _row(self, name: str) -> FlowStep | None:
        return FlowStep.objects.filter(delivery=self._delivery_id, name=name).first()


def _kept(row: FlowStep) -> Kept:
    return _read(row.kept or {}, skipped=row.state == StepState.SKIPPED)


def _read(value: Mapping[str, Any], *, skipped: bool) -> Kept:
    return Kept(value.get("output"), tuple(Emitted(*each) for each in value.get("emitted", ())), skipped)


def _without_credentials(value: Any, depth: int = DEPTH) -> Any:
    """Return ``value`` with the mask for each text that is a credential by its name; what is deeper is left out."""
    if not isinstance(value, Mapping | list):
        return value
    if not depth:
        return "…"
    if isinstance(value, list):
        return [_without_credentials(item, depth - 1) for item in value]
    return {
        name: MASK if isinstance(item, str) and is_credential(name) else _without_credentials(item, depth - 1)
        for name, item in value.items()
    }
