"""Where a row of a large table stands, so that what comes after it can be asked for without counting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Place:
    """Where a row stands in a list that is ordered by a moment and then by id, the newest first; newer is greater."""

    at: datetime
    pk: UUID

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}.{self.pk.hex}"

    @classmethod
    def read(cls, text: str) -> Place:
        """Return the place that ``str`` of one wrote; raises `ValueError` for what is none."""
        microseconds, _, pk = text.partition(".")
        try:
            return cls(_EPOCH + timedelta(microseconds=int(microseconds)), UUID(pk))
        except OverflowError as exc:
            raise ValueError(f"not a moment: {microseconds}") from exc

    def older(self, column: str) -> Q:
        """Return the condition of the rows that come after it. The first part of it is what an index can begin at."""
        return Q(**{f"{column}__lte": self.at}) & (Q(**{f"{column}__lt": self.at}) | Q(pk__lt=self.pk))

    def newer(self, column: str) -> Q:
        """Return the condition of the rows that come before it."""
        return Q(**{f"{column}__gte": self.at}) & (Q(**{f"{column}__gt": self.at}) | Q(pk__gt=self.pk))
