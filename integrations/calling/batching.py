"""Batches whose items wait in the database: frozen before they are written, so that a crash never doubles one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from integrations.connectors.batches import Batch, Item, Limits, Written
from integrations.errors import StillRunning
from integrations.models import BatchedItem, ItemBatch

_LOOK_AGAIN = timedelta(seconds=2)


class StoredBatches:
    """The `integrations.connectors.batches.Batches` of running hubs."""

    def bring(self, item: Item, *, limits: Limits, lease: timedelta, write: Callable[[Batch], None]) -> Written:
        """Return once ``item`` is written, with where it is."""
        row = BatchedItem.objects.add(**vars(item), now=timezone.now())
        was_written = row.is_written
        while not row.is_written:
            batch = _next(row, limits=limits, lease=lease, now=timezone.now())
            try:
                write(_opened(batch))
            except BaseException:  # also the interruption at the deadline: another attempt need not wait for the lease
                ItemBatch.objects.release(batch.pk)
                raise
            ItemBatch.objects.written(batch.pk, now=timezone.now())
            row = BatchedItem.objects.select_related("batch").get(pk=row.pk)  # it may be in a later batch
        return Written(str(row.batch_id), row.folder, row.form, is_new=not was_written)


def _next(row: BatchedItem, *, limits: Limits, lease: timedelta, now: datetime) -> ItemBatch:
    """Return the batch to be written next for ``row`` to be; raises `StillRunning` if there is none yet."""
    if row.batch_id is not None:
        found = ItemBatch.objects.lease(row.batch_id, now=now, until=now + lease)
        if found is None:
            raise StillRunning(_LOOK_AGAIN, "another worker writes its batch")
        return found
    most = (limits.items, limits.bytes)
    taken = BatchedItem.objects.take(row, now=now, until=now + lease, wait=limits.wait, most=most)
    if taken is None:
        due_at = BatchedItem.objects.due_at(row, wait=limits.wait)
        raise StillRunning(max((due_at or now) - now, _LOOK_AGAIN), "it waits for its batch")
    return taken


def _opened(batch: ItemBatch) -> Batch:
    rows: Any = list(batch.items.order_by("pk"))
    return Batch(str(batch.pk), rows[0].folder, rows[0].form, [row.line for row in rows])
