"""How the answers to orders look in JSON, where they are no row."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from deliveries.api.serializers import EventDeliverySerializer
from deliveries.models import DeliveryStatus, EventVariant


class AcceptanceSerializer(serializers.Serializer[Any]):
    """What became of a request that was checked again."""

    status = serializers.ChoiceField(["accepted", "duplicate"])
    event = serializers.UUIDField(help_text="The event, of a duplicate the first one, of a split batch its first.")
    deliveries = serializers.IntegerField(required=False, min_value=0, help_text="Not given for a duplicate.")
    events = serializers.IntegerField(required=False, min_value=0, help_text="Of a split batch; else not given.")

    class Meta:
        may_be_absent = ("deliveries", "events")


class SampleSerializer(serializers.Serializer[Any]):
    """What became of a test event."""

    status = serializers.CharField(allow_null=True, help_text="`accepted`, `duplicate`; null in a provider's own form.")
    event = serializers.UUIDField(allow_null=True)
    deliveries = serializers.IntegerField(allow_null=True, min_value=0)
    http_status = serializers.IntegerField(min_value=200, max_value=299)
    answer = serializers.JSONField(allow_null=True, help_text="What a provider would have got: JSON, or a text.")

    class Meta:
        shapes: dict[str, dict[str, object]] = {"answer": {}}


class AwaitedSecretSerializer(serializers.Serializer[Any]):
    """How far the wait for a secret is that the provider delivers itself."""

    state = serializers.ChoiceField(["none", "waiting", "pending"], help_text="`pending`: one came; confirm it.")
    expires_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField(allow_null=True)
    source = serializers.CharField(help_text="The address that it came from.")  # type: ignore[assignment]
    value = serializers.CharField(help_text="Given only where the provider wants the secret in a form of its own.")

    class Meta:
        may_be_absent = ("value",)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the JSON, without a value where there is none to show."""
        shown = super().to_representation(instance)
        if not shown["value"]:
            del shown["value"]
        return shown


class MatchingSerializer(serializers.Serializer[Any]):
    """How many deliveries of one route stand in one status."""

    endpoint = serializers.CharField()
    route = serializers.UUIDField()
    route_name = serializers.CharField()
    status = serializers.ChoiceField(DeliveryStatus.choices)
    count = serializers.IntegerField(min_value=0)


class PreviewSerializer(serializers.Serializer[Any]):
    """What an order would be about."""

    dry_run = serializers.BooleanField()
    total = serializers.IntegerField(min_value=0)
    counts = MatchingSerializer(many=True)


class OriginalRequestSerializer(serializers.Serializer[Any]):
    """A request as it came, credentials included."""

    id = serializers.UUIDField()
    batch = serializers.UUIDField(allow_null=True)
    endpoint = serializers.CharField()
    provider = serializers.CharField()
    received_at = serializers.DateTimeField()
    method = serializers.CharField()
    url = serializers.CharField()
    query_string = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField(help_text="The bytes in base64.")


class VariantSerializer(serializers.Serializer[EventVariant]):
    """Another body that came under an event's key; credentials are masked."""

    id = serializers.IntegerField()
    received_at = serializers.DateTimeField()
    content_type = serializers.CharField()
    body_bytes = serializers.IntegerField(min_value=0)
    headers = serializers.DictField(child=serializers.CharField())
    payload = serializers.JSONField(source="shown_payload", allow_null=True, help_text="Null where it is not shown.")
    accepted_as = serializers.UUIDField(allow_null=True, help_text="The event that it has become.")

    class Meta:
        shapes: dict[str, dict[str, object]] = {"payload": {}}


class VariantsSerializer(serializers.Serializer[Any]):
    """The other bodies under an event's key, the oldest first."""

    event = serializers.UUIDField()
    variants = VariantSerializer(many=True)


class RevealedSerializer(serializers.Serializer[Any]):
    """The payload of an event whose endpoint is sensitive."""

    event = serializers.UUIDField(read_only=True)
    payload = serializers.JSONField(allow_null=True, help_text="Null where it is opaque or not kept.")

    class Meta:
        shapes: dict[str, dict[str, object]] = {"payload": {}}


class ReroutedSerializer(serializers.Serializer[Any]):
    """What an order to reroute has made."""

    event = serializers.UUIDField(read_only=True)
    deliveries = EventDeliverySerializer(many=True, read_only=True)
