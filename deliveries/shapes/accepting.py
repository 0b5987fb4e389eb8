"""An operator's word that payloads are right as they are now: what has changed is known from then on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from deliveries import audit
from deliveries.models import Shape
from deliveries.models.shape import ChangeKind, is_open
from deliveries.shapes.learning import within

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PERMISSION = "deliveries.accept_shape"


@transaction.atomic
def accept(shape: Shape, *, by: User, now: datetime | None = None, via: str = "") -> int:
    """Accept every open change of ``shape``; return how many there were. Raises `PermissionDenied` for who may not.

    A field that is gone is forgotten: when it comes back, it is a new one.
    """
    if not by.has_perm(PERMISSION):
        raise PermissionDenied("To accept how payloads have changed takes a right of its own.")
    row = Shape.objects.select_for_update().filter(pk=shape.pk).first()
    changes = row.open_changes if row is not None else []
    if row is None or not changes:
        return 0
    at = (now or timezone.now()).isoformat()
    for change in row.changes:
        if not is_open(change):
            continue
        change["accepted_at"], change["accepted_by"] = at, by.get_username()
        if change["kind"] == ChangeKind.VANISHED:
            for path in within(row.fields, change["path"]):
                row.fields.pop(path, None)
    row.changed_at = None
    row.save(update_fields=["changes", "fields", "changed_at"])
    audit.record(audit.Action.ORDERED, row, by=by, message=f"Accepted {len(changes)} changes of the shape.", via=via)
    return len(changes)
