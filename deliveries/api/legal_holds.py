"""``.../legal-hold/``: nothing of an endpoint, or of an event, is removed while one is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api.audit import caller
from deliveries.retention import legal_hold
from integrations.api.checked import OrderSerializer

if TYPE_CHECKING:
    from rest_framework.viewsets import GenericViewSet

    _View = GenericViewSet[Any]
else:
    _View = object


class LegalHoldOrder(OrderSerializer):
    """The body of an order to put something under a legal hold."""

    reason = serializers.CharField(max_length=legal_hold.REASON_CHARACTERS)


class LegalHoldSerializer(serializers.Serializer[Any]):
    """What is under a legal hold, and why."""

    id = serializers.UUIDField()
    legal_hold = serializers.CharField()


class LegalHoldActions(_View):
    """The action of a view whose rows can be put under a legal hold."""

    @action(detail=True, methods=["post", "delete"], url_path="legal-hold")
    def legal_hold(self, request: Request, **named: str) -> Response:
        """Place a legal hold, or end the one that there is; noted in the log."""
        row = self.get_object()
        if request.method == "DELETE":
            legal_hold.lift(row, by=caller(request), via="API")
            return Response(status=204)
        order = LegalHoldOrder(data=request.data)
        order.is_valid(raise_exception=True)
        legal_hold.place(row, reason=order.validated_data["reason"], by=caller(request), via="API")
        return Response(LegalHoldSerializer({"id": row.pk, "legal_hold": row.legal_hold}).data)
