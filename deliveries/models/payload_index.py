"""The index by which events are found by a value in their payload; docs/decisions/0031-index-of-payloads.md."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import models
from django.db.models import Q

from deliveries.paging import Place
from integrations.encryption import EncryptedTextField

ID_BYTES = 16


class IndexCoverage(models.Model):
    """The one row that says which events are in the index, and which worker adds to it.

    All of those from the place ``low`` to the place ``high`` are, both included; nothing is yet while they are the
    same place. ``is_whole`` is that nothing is older than ``low``. ``key`` is what the terms are hashed under, in
    hexadecimal digits, and ``hidden`` are the ids of the endpoints whose payloads were left out as they are sensitive.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    key = EncryptedTextField()
    low_at = models.DateTimeField()
    low_id = models.UUIDField()
    high_at = models.DateTimeField()
    high_id = models.UUIDField()
    is_whole = models.BooleanField(default=False)
    hidden = models.JSONField(default=list)
    held_by = models.UUIDField(null=True)
    held_until = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="index_coverage_alone")]

    def __str__(self) -> str:
        return f"{self.low_at} to {self.high_at}"

    @property
    def low(self) -> Place:
        """The oldest place that is in the index."""
        return Place(self.low_at, self.low_id)

    @property
    def high(self) -> Place:
        """The newest place that is in the index."""
        return Place(self.high_at, self.high_id)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the index yet, or nothing any more."""
        return self.low == self.high

    @property
    def hash_key(self) -> bytes:
        """The key as bytes; raises `ImproperlyConfigured` if it cannot be decrypted any more."""
        return bytes.fromhex(self.key)


class IndexSegment(models.Model):
    """Some events, by which their terms are kept: up to 4,096, mostly those from one place to another.

    ``ids`` are those of the events, 16 bytes each, in the order of their places. ``always`` names, as `Postings` do,
    the events that may have any value: nobody could tell all of theirs. While it is not ``is_read`` that is each.
    Terms are divided among 2 to the power of ``bits`` `Postings` by their highest bits. ``checked_at`` is when somebody
    last looked whether events are missing in it, or whether none of them has a body any more; None before the first.
    """

    first_at = models.DateTimeField()
    first_id = models.UUIDField()
    last_at = models.DateTimeField()
    last_id = models.UUIDField()
    ids = models.BinaryField()
    always = models.BinaryField(default=bytes)
    bits = models.PositiveSmallIntegerField(default=0)
    is_read = models.BooleanField(default=True)
    made_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["last_at", "last_id"], name="index_segment_by_last"),
            models.Index(fields=["checked_at", "made_at"], name="index_segment_to_check"),
        ]

    def __str__(self) -> str:
        return f"{self.first_at} to {self.last_at}"

    @classmethod
    def of(cls, places: list[Place], *, now: datetime, is_read: bool) -> IndexSegment:
        """Return a segment, not saved, of the events at ``places``, the oldest first; at least one."""
        first, last = places[0], places[-1]
        return cls(
            first_at=first.at,
            first_id=first.pk,
            last_at=last.at,
            last_id=last.pk,
            ids=b"".join(place.pk.bytes for place in places),
            is_read=is_read,
            made_at=now,
        )

    @property
    def events(self) -> list[UUID]:
        """The ids of its events."""
        return events_in(self.ids)


class Postings(models.Model):
    """A share of a segment's terms.

    ``number`` is the highest bits of each, as many as the segment says. ``entries`` are the 16 bits that follow, in
    order, and then for each term the number of its event in the segment's ``ids``; both as unsigned 16-bit
    little-endian integers.
    """

    segment = models.ForeignKey(IndexSegment, on_delete=models.CASCADE, related_name="postings", db_index=False)
    number = models.PositiveIntegerField()
    entries = models.BinaryField()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "postings"
        constraints = [models.UniqueConstraint(fields=["segment", "number"], name="postings_once")]

    def __str__(self) -> str:
        return f"{self.number} of {self.segment_id}"


def events_in(ids: bytes | memoryview[int]) -> list[UUID]:
    """Return the ids that stand in the column ``ids`` of a segment."""
    kept = bytes(ids)
    return [UUID(bytes=kept[begin : begin + ID_BYTES]) for begin in range(0, len(kept), ID_BYTES)]
