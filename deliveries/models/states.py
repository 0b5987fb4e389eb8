"""The words for where a delivery and its attempts stand."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy


class DeliveryStatus(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", gettext_lazy("Pending")
    HELD = "held", gettext_lazy("Held")
    RUNNING = "running", gettext_lazy("Running")
    WAITING = "waiting", gettext_lazy("Waiting for a retry")
    SUCCEEDED = "succeeded", gettext_lazy("Succeeded")
    DEAD = "dead", gettext_lazy("Dead letter")
    DISCARDED = "discarded", gettext_lazy("Discarded")


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

    FIRST = "first", gettext_lazy("First")
    RETRY = "retry", gettext_lazy("Retry")
    TAKEOVER = "takeover", gettext_lazy("Takeover")
    REPLAY = "replay", gettext_lazy("Replay")


class Outcome(models.TextChoices):
    """How an attempt ended."""

    RUNNING = "running", gettext_lazy("Running")
    SUCCEEDED = "succeeded", gettext_lazy("Succeeded")
    FAILED = "failed", gettext_lazy("Failed")
    TIMED_OUT = "timed_out", gettext_lazy("Timed out")
    LOST = "lost", gettext_lazy("Lost")
