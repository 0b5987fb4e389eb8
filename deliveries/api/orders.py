"""The bodies of orders. Fields that an order does not have are refused."""

from __future__ import annotations

from rest_framework import serializers

from deliveries.revealing import REASON_CHARACTERS
from integrations.api.checked import OrderSerializer


class EmptyOrder(OrderSerializer):
    """The body of an order that takes no values."""


class ReplayOrder(OrderSerializer):
    """The body of a replay."""

    from_start = serializers.BooleanField(default=False, help_text="Forget the kept results of its steps.")


class EditedReplayOrder(OrderSerializer):
    """The body of a replay with another payload."""

    payload = serializers.JSONField(allow_null=True, help_text="The new payload, whole.")
    routes = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_empty=False,
        help_text="The routes that run with it; not given: all that take the new payload.",
    )

    class Meta:
        shapes: dict[str, dict[str, object]] = {"payload": {}}


class RevealOrder(OrderSerializer):
    """The body of an order to show what is hidden."""

    reason = serializers.CharField(default="", allow_blank=True, max_length=REASON_CHARACTERS)


class DiscardOrder(OrderSerializer):
    """The body of a discard."""

    reason = serializers.CharField(default="", allow_blank=True, max_length=200)


class SampleOrder(OrderSerializer):
    """The body of a test event: what is left out is the provider's own sample's."""

    event_type = serializers.CharField(default="", allow_blank=True, max_length=255)
    payload = serializers.JSONField(default=None, allow_null=True)

    class Meta:
        shapes: dict[str, dict[str, object]] = {"payload": {}}
