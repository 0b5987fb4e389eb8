"""What a worker that ends does with what it has not finished: others may have it at once, and it is told of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog

from deliveries.execution import report
from deliveries.models import Delivery, DeliveryStatus, Outcome
from deliveries.models.transitions import MOST_GIVE_BACKS
from deliveries.stats import outcomes

logger = structlog.get_logger(__name__)


def give_back(
    held: Mapping[UUID, int], *, worker: str, now: datetime, seconds: Mapping[UUID, float] | None = None
) -> None:
    """Return ``held`` (id -> attempt number), whose handlers have run for ``seconds``. Raises Django's database errors.

    An attempt that does not count against its delivery is not counted as a failure either.
    """
    given = Delivery.objects.give_back(held, now=now)
    for delivery in given:
        report.given_back(delivery, seconds=(seconds or {}).get(delivery.pk))
        if delivery.give_backs >= MOST_GIVE_BACKS:
            outcomes.ended(delivery, Outcome.LOST, DeliveryStatus(delivery.status), now=now, error="Lost")
    logger.warning("worker.gave_back", worker=worker, deliveries=len(given))
