"""Bring archived events back as they were."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction

from deliveries import payload_index
from deliveries.models import Attempt, Batch, Delivery, Erasure, Event, FlowStep, KeptKey, StepResult
from deliveries.models.keeping import EVERYTHING
from deliveries.receiving.dedupe import outdated
from deliveries.retention.archive import Columns, lines_of
from deliveries.retention.targets import Archived
from integrations.encryption import EncryptedTextField
from integrations.models import Endpoint, Route

#: What of an event comes back where its row is still there.
_PARTS = ("raw_body", "body_is_encrypted", "headers", "query_string", "sealed")
#: And of an attempt; taken as it stands in the row, so that no key is asked for.
_SAID = ("error_message", "traceback", "log", "response", "calls")
_SAID_OF_STEP = ("input", "kept", "error")


def restore(files: Iterable[Archived], *, now: datetime) -> Counter[str]:
    """Restore the events in ``files``; return how many were restored, there, erased, homeless.

    Each is one transaction, so that what was restored stays if a later file fails. It is under a legal hold then, or
    retention would remove it at once. What an erasure has erased does not come back; an event whose endpoint is not in
    this database is left out. Raises `ValueError` for a damaged file, `OSError` for one that cannot be read.
    """
    erased = {pk for found in Erasure.objects.values_list("found", flat=True) for pk in found.get("events", [])}
    counts: Counter[str] = Counter()
    for file in files:
        for line in lines_of(file):
            with transaction.atomic():
                counts["erased" if line["event"]["id"] in erased else _restore(line, now=now)] += 1
    return counts


def _restore(line: Columns, *, now: datetime) -> str:
    """Restore one event; return what became of it."""
    event = _row(Event, line["event"])
    if not Endpoint.objects.filter(pk=event.endpoint_id).exists():
        return "homeless"
    there = Event.objects.select_for_update().filter(pk=event.pk).first()
    if there is not None and there.raw_body is not None:
        return "there"
    again: dict[str, Any] = {"keeps": EVERYTHING.value, "body_removed_at": None, "headers_removed_at": None}
    again["legal_hold"] = f"Restored from the archive on {now:%Y-%m-%d}."
    if there is None:
        _insert(event, line)
    else:
        again |= {name: getattr(event, name) for name in _PARTS}
    Event.objects.filter(pk=event.pk).update(**again)
    payload_index.take_in([event.pk])
    _restore_deliveries(line, event.pk)
    return "restored"


def _insert(event: Event, line: Columns) -> None:
    if line["batch"] and not Batch.objects.filter(pk=str(event.batch_id)).exists():
        _row(Batch, line["batch"]).save(force_insert=True)
    if event.derived_from_id and not Event.objects.filter(pk=str(event.derived_from_id)).exists():
        event.derived_from_id = None
    if Event.objects.filter(endpoint=event.endpoint_id, dedupe_key=event.dedupe_key).exists():
        event.dedupe_key = outdated(event.dedupe_key, event.pk)[-120:]
    KeptKey.objects.filter(pk=KeptKey.id_of(event.endpoint_id, event.dedupe_key)).delete()
    event.save(force_insert=True)


def _restore_deliveries(line: Columns, event: UUID) -> None:
    """Make what is missing of deliveries, attempts and kept steps; put back what attempts said."""
    routes = set(
        Route.objects.filter(pk__in=[row["route_id"] for row in line["deliveries"]]).values_list("pk", flat=True)
    )
    rows = [_row(Delivery, row) for row in line["deliveries"]]
    Delivery.objects.bulk_create([row for row in rows if row.route_id in routes], ignore_conflicts=True)
    known = set(Delivery.objects.filter(event=event).values_list("pk", flat=True))
    for row in line["attempts"]:
        attempt = _row(Attempt, {**row, "id": None})
        if attempt.delivery_id in known:
            said = {name: attempt.__dict__[name] for name in _SAID if name in attempt.__dict__}
            if not Attempt.objects.filter(delivery=attempt.delivery_id, number=attempt.number).update(**said):
                attempt.save(force_insert=True)
    steps = [_row(StepResult, {**row, "id": None}) for row in line["steps"]]
    StepResult.objects.bulk_create([row for row in steps if row.delivery_id in known], ignore_conflicts=True)
    for row in line.get("flow_steps", ()):  # what was archived before there were flows has none
        step = _row(FlowStep, {**row, "id": None})
        if step.delivery_id in known:
            said = {name: step.__dict__[name] for name in _SAID_OF_STEP}
            if not FlowStep.objects.filter(delivery=step.delivery_id, name=step.name).update(**said):
                step.save(force_insert=True)


def _row(model: type[Any], columns: Columns) -> Any:
    """Return a row of ``model`` with those of ``columns`` that this release has."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return model(**{name: _value(fields[name], value) for name, value in columns.items() if name in fields})


def _value(field: models.Field[Any, Any], value: Any) -> Any:
    if isinstance(field, models.BinaryField) and isinstance(value, dict):
        return base64.b64decode(value["base64"])
    if isinstance(field, EncryptedTextField):
        return field.from_db_value(value, None, None)
    return value if isinstance(field, models.JSONField) else field.to_python(value)
