"""What an operator configures: endpoints, their secrets, and routes to handlers."""

from integrations.models.awaited_secret import AwaitedSecret
from integrations.models.endpoint import Batching, Endpoint, EndpointState
from integrations.models.route import OrderingFailure, Route
from integrations.models.secret import Secret

__all__ = ["AwaitedSecret", "Batching", "Endpoint", "EndpointState", "OrderingFailure", "Route", "Secret"]
