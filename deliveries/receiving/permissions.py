"""Which networks may send."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rest_framework.permissions import BasePermission

from deliveries.receiving.source import is_within

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from deliveries.receiving.view import ReceiveView


class SourceAllowed(BasePermission):
    """The request comes from one of the endpoint's networks; an endpoint that names none takes from anywhere."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the source may send; a test event of the hub's own has none."""
        receiving = cast("ReceiveView", view)
        networks = receiving.endpoint.networks
        if not networks or receiving.from_the_hub_itself:
            return True
        return receiving.source is not None and is_within(receiving.source, networks)
