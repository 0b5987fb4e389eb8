"""Forgetting what was learned where a name turns out to be somebody's: an address as a field's name, or as a type."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from deliveries.models import NamedCount, Shape

if TYPE_CHECKING:
    from deliveries.erasing.holding import Sought

_AT_ONCE = 50


def forget_names(sought: Sought) -> int:
    """Remove the shapes that have what is ``sought`` among their names, whole; return how many.

    They are learned anew, from events that are not erased. What was counted by such a name goes as well.
    """
    counted = NamedCount.objects.order_by().values_list("name", flat=True).distinct()
    NamedCount.objects.filter(name__in=[name for name in counted if sought.is_in(name)]).delete()
    rows = Shape.objects.order_by("pk").values_list("pk", "event_type", "fields", "folded", "changes")
    found: list[UUID] = [
        pk
        for pk, event_type, *columns in rows.iterator(chunk_size=_AT_ONCE)
        if sought.is_in(event_type) or sought.is_in_value(columns)
    ]
    return Shape.objects.filter(pk__in=found).delete()[0] if found else 0
