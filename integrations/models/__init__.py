"""What an operator configures: endpoints, their secrets, and routes to handlers."""

from integrations.models.endpoint import Endpoint, EndpointState
from integrations.models.route import Route
from integrations.models.secret import Secret

__all__ = ["Endpoint", "EndpointState", "Route", "Secret"]
