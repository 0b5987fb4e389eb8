"""``/accept-only/``: whether the hub does nothing but store events, and the switch."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deliveries.api.audit import caller
from deliveries.api.described.accept_only import describe_accept_only
from deliveries.models import AcceptOnly
from deliveries.overload import accept_only
from integrations.api.checked import OrderSerializer
from integrations.api.permissions import ModelPermissions
from integrations.models import groups_of


class AcceptOnlyOrder(OrderSerializer):
    """The body of an order to switch the mode on."""

    note = serializers.CharField(default="", allow_blank=True, max_length=200, help_text="Why, for those who see it.")


class AcceptOnlySerializer(serializers.Serializer[Any]):
    """Whether the mode is on, and who wanted it."""

    on = serializers.BooleanField()
    who = serializers.CharField(help_text="Who switched it on; empty while it is off.")
    since = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField()


class AcceptOnlyPermissions(ModelPermissions):
    """To look: who may see workers. To switch: a permission of its own."""

    perms_map = {
        "GET": ["deliveries.view_worker"],
        "HEAD": ["deliveries.view_worker"],
        "POST": ["deliveries.accept_only"],
        "DELETE": ["deliveries.accept_only"],
    }


@describe_accept_only(AcceptOnlyOrder, AcceptOnlySerializer)
class AcceptOnlyView(APIView):
    """GET: how it stands; POST: switch on; DELETE: switch off."""

    queryset = AcceptOnly.objects.all()
    permission_classes = [AcceptOnlyPermissions]
    http_method_names = ["get", "head", "post", "delete"]

    def get(self, request: Request) -> Response:
        """Return how the mode stands."""
        return Response(_shown())

    def post(self, request: Request) -> Response:
        """Switch the mode on; as it was if it is on."""
        order = AcceptOnlyOrder(data=request.data)
        order.is_valid(raise_exception=True)
        _refuse_the_restricted(request)
        accept_only.switch_on(by=caller(request), note=order.validated_data["note"], now=timezone.now())
        return Response(_shown())

    def delete(self, request: Request) -> Response:
        """Switch the mode off; as it was if it is off."""
        _refuse_the_restricted(request)
        accept_only.switch_off(by=caller(request), now=timezone.now())
        return Response(status=204)


def _shown() -> dict[str, Any]:
    row = AcceptOnly.objects.first()
    if row is None:
        return dict(AcceptOnlySerializer({"on": False, "who": "", "since": None, "note": ""}).data)
    return dict(AcceptOnlySerializer({"on": True, "who": row.who, "since": row.since, "note": row.note}).data)


def _refuse_the_restricted(request: Request) -> None:
    """Refuse who is restricted to groups, as it stops the routes of all."""
    if groups_of(caller(request)) is not None:
        raise PermissionDenied("It stops the routes of all groups; this user is restricted to some.")
