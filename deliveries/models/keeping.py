"""What is still kept of an event, and the keys of events that are gone."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from uuid import UUID

from django.db import models
from django.utils.translation import gettext, gettext_lazy


class Part(IntFlag):
    """What is removed of an event by its own age, before the row itself goes."""

    BODY = 1
    HEADERS = 2
    ATTEMPTS = 4


#: What every new event keeps.
EVERYTHING = Part.BODY | Part.HEADERS | Part.ATTEMPTS


class Keepable(models.Model):
    """The columns of an event that say what is kept of it.

    ``keeps`` is a sum of `Part`, None for none of them: so only what there is something to remove of is in the index
    that retention looks at. ``legal_hold`` is why nothing of it may be removed, "" if it may.
    """

    keeps = models.PositiveSmallIntegerField(null=True, default=EVERYTHING.value, db_default=EVERYTHING.value)
    body_removed_at = models.DateTimeField(null=True, editable=False)
    headers_removed_at = models.DateTimeField(null=True, editable=False)
    erased_at = models.DateTimeField(
        null=True, editable=False, help_text=gettext_lazy("When an erasure removed body and headers.")
    )
    legal_hold = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)

    class Meta:
        abstract = True

    @property
    def parts(self) -> Part:
        """What is kept."""
        return Part(self.keeps or 0)

    @property
    def why_no_body(self) -> str:
        """Why the body is not there any more, in a sentence; "" if it was never removed."""
        if self.body_removed_at is None:
            return ""
        if self.erased_at:
            text = gettext("Its body was removed on %(day)s at somebody's request.")
        else:
            text = gettext("Its body was removed on %(day)s by retention.")
        return text % {"day": f"{self.body_removed_at:%Y-%m-%d}"}


@dataclass(frozen=True)
class KeyHolder:
    """The event that held a key before its row was removed."""

    event: UUID
    received_at: datetime


class KeptKeyQuerySet(models.QuerySet["KeptKey"]):
    """Keys of events that are gone."""

    def holders(self, endpoint_id: UUID, keys: Collection[str]) -> Mapping[str, KeyHolder]:
        """Return who held which of ``keys`` at an endpoint; those that nobody held are not in it."""
        by_id = {KeptKey.id_of(endpoint_id, key): key for key in keys}
        rows = self.filter(pk__in=by_id).values_list("pk", "event", "received_at")
        return {by_id[pk]: KeyHolder(event, received_at) for pk, event, received_at in rows}

    def keep(self, rows: Iterable[tuple[UUID, str, UUID, datetime]]) -> None:
        """Keep (endpoint, key, event, arrival) of events that are about to go; of two with one key the later counts."""
        kept = [
            KeptKey(id=KeptKey.id_of(endpoint_id, key), event=event, received_at=received_at)
            for endpoint_id, key, event, received_at in rows
        ]
        self.bulk_create(kept, update_conflicts=True, unique_fields=["id"], update_fields=["event", "received_at"])


class KeptKey(models.Model):
    """The dedupe key of an event whose row is gone, so that the provider's repetition still makes no delivery.

    Kept for ever, and so as small as can be: ``id`` is a hash of endpoint and key.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    event = models.UUIDField()
    received_at = models.DateTimeField()

    objects = KeptKeyQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # nobody looks at them but receiving

    def __str__(self) -> str:
        return str(self.event)

    @staticmethod
    def id_of(endpoint_id: UUID, key: str) -> UUID:
        """Return what stands for ``key`` at an endpoint: 128 bits, so that no two meet by chance."""
        return UUID(bytes=hashlib.sha256(endpoint_id.bytes + key.encode()).digest()[:16])
