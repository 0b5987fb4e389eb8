"""Items on their way into batches, each batch written to an outside system as one object."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q

from integrations.encryption import EncryptedTextField
from integrations.identifiers import uuid7


class ItemBatchQuerySet(models.QuerySet["ItemBatch"]):
    """Batches: what is in one never changes, so that writing it again writes the same."""

    def lease(self, pk: Any, *, now: datetime, until: datetime) -> ItemBatch | None:
        """Return the batch, to be written by the caller alone until then; None if another has it or it is written."""
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        if not self.filter(free, pk=pk, written_at=None).update(leased_until=until):
            return None
        return self.get(pk=pk)

    def release(self, pk: Any) -> None:
        """Let others write the batch, which the caller could not."""
        self.filter(pk=pk, written_at=None).update(leased_until=None)

    def written(self, pk: Any, *, now: datetime) -> None:
        """Note that the batch is written; its items' contents are not needed any more."""
        with transaction.atomic():
            self.filter(pk=pk).update(written_at=now, leased_until=None)
            BatchedItem.objects.filter(batch=pk).update(line="")


class ItemBatch(models.Model):
    """Items that are written as one object, whose name is made of the batch's id."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    leased_until = models.DateTimeField(null=True)
    written_at = models.DateTimeField(null=True)

    objects = ItemBatchQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)


class BatchedItemQuerySet(models.QuerySet["BatchedItem"]):
    """Items by where they go: a ``place`` has each key once."""

    def add(self, *, place: str, key: str, folder: str, form: str, line: str, now: datetime) -> BatchedItem:
        """Return the place's row for ``key``, made if it is not there; what is there stays as it is."""
        row = BatchedItem(
            place=place, key=key, folder=folder, form=form, line=line, line_bytes=len(line.encode()), created_at=now
        )
        self.bulk_create([row], ignore_conflicts=True)
        return self.select_related("batch").get(place=place, key=key)

    def forget(self, keys: Collection[str]) -> int:
        """Remove the rows of ``keys``, whose events are gone and can be replayed no more; return how many."""
        rows = self.filter(key__in=keys)
        batches = set(rows.exclude(batch=None).values_list("batch", flat=True))
        removed = rows.delete()[0]
        ItemBatch.objects.filter(pk__in=batches, items=None).delete()
        return removed

    def retract(self, keys: Collection[str]) -> None:
        """Remove what of ``keys`` is not written yet: the next attempt brings it anew, as it is by then."""
        self.filter(Q(batch=None) | Q(batch__written_at=None), key__in=keys).delete()

    def due_at(self, beside: BatchedItem, *, wait: timedelta) -> datetime | None:
        """Return when those that wait in the folder of ``beside`` are written at the latest; None if none waits."""
        first = self._waiting(beside).order_by("pk").values_list("created_at", flat=True).first()
        return None if first is None else first + wait

    def take(
        self, beside: BatchedItem, *, now: datetime, until: datetime, wait: timedelta, most: tuple[int, int]
    ) -> ItemBatch | None:
        """Return a new batch of the oldest that wait in the folder of ``beside``, leased ``until`` then.

        ``most`` are how many, and bytes of them all; one alone may have more. None if they are fewer and none has
        waited for ``wait``.
        """
        waiting, due = self._waiting(beside), now - wait
        if not waiting._chosen(due=due, most=most):  # the usual answer, which locks nothing
            return None
        with transaction.atomic():
            # Passed over where another worker has them locked: two that took the same rows in another order would
            # wait for each other, and each would get a part of a batch. SQLite has one writer at a time.
            chosen = waiting.select_for_update(skip_locked=True, of=("self",))._chosen(due=due, most=most)
            if not chosen:
                return None
            batch = ItemBatch.objects.create(leased_until=until)
            self.filter(pk__in=chosen).update(batch=batch)
        return batch

    def _chosen(self, *, due: datetime, most: tuple[int, int]) -> list[UUID]:
        """Return the oldest that make a batch; none if they are too few, and none was made as early as ``due``."""
        most_items, most_bytes = most
        chosen: list[UUID] = []
        total = 0
        is_due = False
        for pk, size, created_at in self.order_by("pk").values_list("pk", "line_bytes", "created_at")[:most_items]:
            is_due = is_due or created_at <= due
            if chosen and total + size > most_bytes:
                return chosen
            chosen.append(pk)
            total += size
        return chosen if is_due or len(chosen) == most_items else []

    def _waiting(self, beside: BatchedItem) -> BatchedItemQuerySet:
        return self.filter(place=beside.place, folder=beside.folder, form=beside.form, batch=None)


class BatchedItem(models.Model):
    """One item of a place: waiting (no batch), in a batch, or written with it.

    ``key`` says which it is (an event's id), ``folder`` and ``form`` what it is written with, ``line`` is its content,
    encrypted like other bodies with credentials, and "" once it is written. The row stays: it says that the place has
    the key.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    place = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    folder = models.CharField(max_length=1000)
    form = models.CharField(max_length=20)
    line = EncryptedTextField(default="", blank=True)
    line_bytes = models.PositiveIntegerField()
    batch = models.ForeignKey(ItemBatch, null=True, on_delete=models.PROTECT, related_name="items")
    created_at = models.DateTimeField()

    objects = BatchedItemQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["place", "key"], name="batched_item_once_per_place")]
        indexes = [
            models.Index(fields=["place", "id"], condition=Q(batch=None), name="batched_item_waiting"),
            models.Index(fields=["key"], name="batched_item_by_key"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_written(self) -> bool:
        """Whether the outside system has it."""
        return self.batch is not None and self.batch.written_at is not None
