"""What happened: events, rejections, deliveries and their attempts, and who did what. Facts and atomic transitions."""

from deliveries.models.attempt import Attempt, StepResult
from deliveries.models.audit import Action, AuditEntry
from deliveries.models.delivery import Delivery
from deliveries.models.event import Batch, Event, EventVariant, Verdict
from deliveries.models.ordering import ParkedKey
from deliveries.models.rejection import Rejection, RejectionCount
from deliveries.models.states import DeliveryStatus, Outcome, Trigger
from deliveries.models.token import TokenTerms
from deliveries.models.worker import Worker

__all__ = [
    "Action",
    "Attempt",
    "AuditEntry",
    "Batch",
    "Delivery",
    "DeliveryStatus",
    "Event",
    "EventVariant",
    "Outcome",
    "ParkedKey",
    "Rejection",
    "RejectionCount",
    "StepResult",
    "TokenTerms",
    "Trigger",
    "Verdict",
    "Worker",
]
