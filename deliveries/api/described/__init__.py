"""What the OpenAPI schema says of each operation: names, summaries and examples, a module for each resource."""

from deliveries.api.described.audit_log import describe_audit_log
from deliveries.api.described.connections import describe_connections
from deliveries.api.described.deliveries import describe_deliveries
from deliveries.api.described.endpoint_groups import describe_endpoint_groups
from deliveries.api.described.endpoints import describe_endpoints
from deliveries.api.described.events import describe_events
from deliveries.api.described.rejections import describe_rejections
from deliveries.api.described.routes import describe_routes

__all__ = [
    "describe_audit_log",
    "describe_connections",
    "describe_deliveries",
    "describe_endpoint_groups",
    "describe_endpoints",
    "describe_events",
    "describe_rejections",
    "describe_routes",
]
