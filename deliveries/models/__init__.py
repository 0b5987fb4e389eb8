"""What happened: events, rejections, deliveries and their attempts. Facts and atomic transitions."""

from deliveries.models.attempt import Attempt, StepResult
from deliveries.models.delivery import Delivery
from deliveries.models.event import Batch, Event, EventVariant, Verdict
from deliveries.models.ordering import ParkedKey
from deliveries.models.rejection import Rejection, RejectionCount
from deliveries.models.release import Release
from deliveries.models.replay import ItemState, Replay, ReplayItem, ReplayState
from deliveries.models.states import DeliveryStatus, Outcome, Trigger
from deliveries.models.turn import Turn
from deliveries.models.worker import Worker

__all__ = [
    "Attempt",
    "Batch",
    "Delivery",
    "DeliveryStatus",
    "Event",
    "EventVariant",
    "ItemState",
    "Outcome",
    "ParkedKey",
    "Rejection",
    "RejectionCount",
    "Release",
    "Replay",
    "ReplayItem",
    "ReplayState",
    "StepResult",
    "Trigger",
    "Turn",
    "Verdict",
    "Worker",
]
