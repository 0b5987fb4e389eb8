"""The answers to POSTs that carried an ``Idempotency-Key``, kept for a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, models, transaction

from integrations.encryption import EncryptedTextField
from integrations.identifiers import uuid7

#: How long a key stands for its first request.
KEPT = timedelta(hours=24)


class StoredAnswerQuerySet(models.QuerySet["StoredAnswer"]):
    """Answers by caller and key."""

    def begin(self, *, caller: str, key: str, fingerprint: str, now: datetime) -> tuple[StoredAnswer, bool]:
        """Return the caller's row for ``key``, and whether it is new: then the request is to be carried out.

        Call it in the transaction that carries the request out. A second request with the key waits here until the
        first has committed, or has left nothing. Raises `StoredAnswer.DoesNotExist` if the row has just been pruned.
        """
        self.filter(caller=caller, key=key, created_at__lte=now - KEPT).delete()
        try:
            with transaction.atomic():
                return self.create(caller=caller, key=key, fingerprint=fingerprint, created_at=now), True
        except IntegrityError:
            return self.get(caller=caller, key=key), False

    def prune(self, *, now: datetime, limit: int) -> int:
        """Remove up to ``limit`` answers whose time is over; return how many."""
        old = self.filter(created_at__lte=now - KEPT)
        ids = list(old.order_by("created_at").values_list("pk", flat=True)[:limit])
        return self.filter(pk__in=ids).delete()[0] if ids else 0


class StoredAnswer(models.Model):
    """What the first request with a key was, and what it was answered; encrypted, for it may hold a secret.

    ``answer`` is "" where it was too large to be kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    caller = models.CharField(max_length=150)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    answer = EncryptedTextField(default="", blank=True)
    created_at = models.DateTimeField()

    objects = StoredAnswerQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="stored_answer_once_per_key")]
        indexes = [models.Index(fields=["created_at"], name="stored_answer_by_age")]

    def __str__(self) -> str:
        return self.key
