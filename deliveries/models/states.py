"""The words for where a delivery and its attempts stand."""

from __future__ import annotations

from django.db import models


class DeliveryStatus(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", "Pending"
    HELD = "held", "Held"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting for a retry"
    SUCCEEDED = "succeeded", "Succeeded"
    DEAD = "dead", "Dead letter"
    DISCARDED = "discarded", "Discarded"


#: A worker may claim these once they are due.
CLAIMABLE = (DeliveryStatus.PENDING, DeliveryStatus.WAITING)
#: The last attempt of these failed, and nobody has said yet that it does not matter.
FAILED = (DeliveryStatus.DEAD, DeliveryStatus.WAITING)
#: Nothing happens to these any more unless an operator replays them.
FINISHED = (DeliveryStatus.SUCCEEDED, DeliveryStatus.DEAD, DeliveryStatus.DISCARDED)
#: An operator may discard these: what waits to run, and what nobody is going to replay.
DISCARDABLE = (*CLAIMABLE, DeliveryStatus.HELD, DeliveryStatus.DEAD)
#: Of two deliveries with one ordering key the later waits while the earlier stands in one of these; a dead one only
#: where its route says so.
UNFINISHED = (DeliveryStatus.PENDING, DeliveryStatus.HELD, DeliveryStatus.RUNNING, DeliveryStatus.WAITING)
IN_THE_WAY = (*UNFINISHED, DeliveryStatus.DEAD)


class Trigger(models.TextChoices):
    """Why an attempt was made."""

    FIRST = "first", "First"
    RETRY = "retry", "Retry"
    TAKEOVER = "takeover", "Takeover"
    REPLAY = "replay", "Replay"


class Outcome(models.TextChoices):
    """How an attempt ended."""

    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed_out", "Timed out"
    LOST = "lost", "Lost"
