"""What an operator configures: endpoints, their groups and secrets, routes to handlers, and connections."""

from integrations.models.awaited_secret import AwaitedSecret
from integrations.models.batched_item import BatchedItem, ItemBatch
from integrations.models.connection import Connection, ConnectionState
from integrations.models.connection_health import Circuit, ConnectionHealth, Health, UnnamedHealth
from integrations.models.connection_token import ConnectionToken
from integrations.models.endpoint import Batching, Endpoint, EndpointState
from integrations.models.endpoint_group import EndpointGroup, OfEndpointsQuerySet, Restriction, groups_of
from integrations.models.route import OrderingFailure, Route
from integrations.models.secret import Secret
from integrations.models.shared_run import SharedRun
from integrations.models.stored_answer import StoredAnswer

__all__ = [
    "AwaitedSecret",
    "BatchedItem",
    "Batching",
    "Circuit",
    "Connection",
    "ConnectionHealth",
    "ConnectionState",
    "ConnectionToken",
    "Endpoint",
    "EndpointGroup",
    "EndpointState",
    "Health",
    "ItemBatch",
    "OfEndpointsQuerySet",
    "OrderingFailure",
    "Restriction",
    "Route",
    "Secret",
    "SharedRun",
    "StoredAnswer",
    "UnnamedHealth",
    "groups_of",
]
