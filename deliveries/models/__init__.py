"""What happened: events, rejections, deliveries and their attempts, and who did what. Facts and atomic transitions."""

from deliveries.models.accept_only import AcceptOnly
from deliveries.models.alert import Alert, AlertClock, AlertRule, AlertState
from deliveries.models.attempt import Attempt, StepResult
from deliveries.models.audit import Action, AuditEntry
from deliveries.models.backfill import Backfill, BackfillRun, RunState
from deliveries.models.delivery import Delivery
from deliveries.models.erasure import Erasure, ErasureState
from deliveries.models.event import Batch, Event, EventVariant, Verdict
from deliveries.models.flow_step import FlowStep, StepState
from deliveries.models.keeping import KeptKey
from deliveries.models.named_count import NamedCount
from deliveries.models.ordering import ParkedKey
from deliveries.models.payload_index import IndexCoverage, IndexSegment, Postings
from deliveries.models.rejection import RefusalTotal, Rejection, RejectionCount
from deliveries.models.release import Release
from deliveries.models.replay import ItemState, Replay, ReplayItem, ReplayState
from deliveries.models.rollup import Rollup, RollupTotal
from deliveries.models.saved_view import SavedView
from deliveries.models.schedule import Missed, Schedule
from deliveries.models.shape import Shape, ShapeCursor
from deliveries.models.states import DeliveryStatus, Outcome, Trigger
from deliveries.models.token import TokenTerms
from deliveries.models.tokens_taken import TokensTaken
from deliveries.models.turn import Turn
from deliveries.models.worker import Worker

__all__ = [
    "AcceptOnly",
    "Action",
    "Alert",
    "AlertClock",
    "AlertRule",
    "AlertState",
    "Attempt",
    "AuditEntry",
    "Backfill",
    "BackfillRun",
    "Batch",
    "Delivery",
    "DeliveryStatus",
    "Erasure",
    "ErasureState",
    "Event",
    "EventVariant",
    "FlowStep",
    "IndexCoverage",
    "IndexSegment",
    "ItemState",
    "KeptKey",
    "Missed",
    "NamedCount",
    "Outcome",
    "ParkedKey",
    "Postings",
    "RefusalTotal",
    "Rejection",
    "RejectionCount",
    "Release",
    "Replay",
    "ReplayItem",
    "ReplayState",
    "Rollup",
    "RollupTotal",
    "RunState",
    "SavedView",
    "Schedule",
    "Shape",
    "ShapeCursor",
    "StepResult",
    "StepState",
    "TokenTerms",
    "TokensTaken",
    "Trigger",
    "Turn",
    "Verdict",
    "Worker",
]
