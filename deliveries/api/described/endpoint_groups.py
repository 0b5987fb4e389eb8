"""``/endpoint-groups/`` in the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_view

from integrations.api.schema import operation
from integrations.api.serializers import EndpointGroupSerializer

GROUP: dict[str, Any] = {
    "id": "01a21b8f-01c4-7d58-bd8e-3f1c7d5b4e55",
    "name": "shop",
    "description": "What the shop team runs",
    "created_at": "2026-11-27T06:30:02.412713Z",
    "updated_at": "2026-11-27T06:30:02.412713Z",
}

describe_endpoint_groups = extend_schema_view(
    list=operation(
        "list_endpoint_groups",
        "List endpoint groups",
        answers={200: ("A page of groups, the newest first.", EndpointGroupSerializer(many=True), GROUP)},
    ),
    retrieve=operation(
        "get_endpoint_group", "Show an endpoint group", answers={200: ("The group.", EndpointGroupSerializer, GROUP)}
    ),
    create=operation(
        "create_endpoint_group",
        "Make an endpoint group",
        request=(EndpointGroupSerializer, {"A group": {"name": "shop", "description": "What the shop team runs"}}),
        answers={201: ("The group that was made.", EndpointGroupSerializer, GROUP)},
    ),
    partial_update=operation(
        "update_endpoint_group",
        "Change an endpoint group",
        request=(EndpointGroupSerializer, {"Another description": {"description": "What the shop team runs"}}),
        answers={200: ("The group as it is now.", EndpointGroupSerializer, GROUP)},
    ),
    destroy=operation(
        "delete_endpoint_group",
        "Delete an endpoint group",
        description="409 while an endpoint in service is in it.",
        answers={204: ("It is deleted.", None, None)},
    ),
)
