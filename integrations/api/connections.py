"""How connections look in JSON. Credentials go in and never come out; references to them do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from integrations.api.checked import CheckedSerializer
from integrations.api.serializers import VisibleSlugField
from integrations.connectors.proofs import credential_names
from integrations.connectors.tries import TRIES_SCHEMA, Tries
from integrations.guards import guard_connection, guard_credentials
from integrations.masking import MASK
from integrations.models import Circuit, Connection, ConnectionHealth, EndpointGroup, groups_of
from integrations.references import is_reference

_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": {}}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


class HealthSerializer(serializers.Serializer[ConnectionHealth]):
    """How a connection does, as all workers know it."""

    circuit = serializers.SerializerMethodField()
    open_until = serializers.DateTimeField(read_only=True, allow_null=True)
    failures = serializers.IntegerField(read_only=True)
    remaining = serializers.IntegerField(read_only=True, allow_null=True)
    remaining_until = serializers.DateTimeField(read_only=True, allow_null=True)
    closed_until = serializers.DateTimeField(read_only=True, allow_null=True)
    last_error = serializers.CharField(read_only=True)
    last_error_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_success_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def get_circuit(self, row: ConnectionHealth) -> Circuit:
        """Return ``closed``, ``open`` or ``half_open``."""
        return row.circuit(timezone.now())


class TrialSerializer(serializers.Serializer[Any]):
    """What came of a test."""

    ok = serializers.BooleanField(help_text="Whether the answer was 2xx or 3xx.")
    detail = serializers.CharField(help_text="What came of it, for the operator.")
    status = serializers.IntegerField(allow_null=True, help_text="The answer's status; null without an answer.")
    duration_ms = serializers.IntegerField(allow_null=True)


class ConnectionSerializer(CheckedSerializer[Connection]):
    """One outside system: where it is, how the hub proves itself to it, and how hard the hub may press it."""

    group = VisibleSlugField(slug_field="name", queryset=EndpointGroup.objects.all(), required=False, allow_null=True)
    fixed_fields = {"name": "Routes and handlers know it by its name; make another one."}

    class Meta:
        model = Connection
        fields = [
            "id",
            "name",
            "description",
            "group",
            "kind",
            "base_url",
            "auth",
            "auth_settings",
            "credentials",
            "headers",
            "connect_timeout_seconds",
            "read_timeout_seconds",
            "timeout_seconds",
            "retry",
            "rate_per_second",
            "burst",
            "breaker_failures",
            "breaker_seconds",
            "egress",
            "proxy",
            "follow_redirects",
            "idempotency_header",
            "kept_response_bytes",
            "test_path",
            "state",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "created_at", "updated_at"]
        shapes = {
            "kind": {"type": "string", "maxLength": 50},
            "auth": {"type": "string", "maxLength": 30},
            "auth_settings": _OBJECT,
            "credentials": _TEXTS,
            "headers": _TEXTS,
            "retry": TRIES_SCHEMA,
            "egress": {"type": ["array", "null"], "items": {"type": "string"}},
        }
        extra_kwargs = {
            "connect_timeout_seconds": {"min_value": 0.001, "max_value": 60},
            "read_timeout_seconds": {"min_value": 0.001, "max_value": 3600},
            "timeout_seconds": {"min_value": 0.001, "max_value": 3600},
            "rate_per_second": {"min_value": 0.001, "max_value": 100_000},
            "burst": {"min_value": 1, "max_value": 1_000_000},
            "breaker_seconds": {"min_value": 0.001, "max_value": 3600},
        }

    def validate_name(self, value: str) -> str:
        """Refuse the name of another connection in service."""
        if Connection.objects.live().filter(name=value).exists():
            raise serializers.ValidationError("A connection with this name exists already.")
        return value

    def validate_retry(self, value: Any) -> Any:
        """Complete what is left out with what there is."""
        present = self.instance.retry if isinstance(self.instance, Connection) else Tries().as_json()
        return {**present, **value} if isinstance(value, Mapping) else value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Keep the credentials that came back masked, then check the whole row."""
        if "credentials" in attrs:
            attrs = {**attrs, "credentials": self._entered(attrs["credentials"])}
        return super().validate(attrs)

    def to_representation(self, instance: Connection) -> dict[str, Any]:
        """Return the JSON; of the credentials the names, and the references among them."""
        shown = super().to_representation(instance)
        shown["credentials"] = shown_credentials(instance.credentials)
        return shown

    def check(self, candidate: Connection, attrs: Mapping[str, Any]) -> None:
        """Check what the user may enter, and that stored credentials go nowhere else."""
        before = self.instance if isinstance(self.instance, Connection) else Connection()
        if isinstance(self.instance, Connection):
            entered = self.initial_data.get("credentials") if isinstance(self.initial_data, Mapping) else None
            guard_credentials(before, candidate, entered=entered_anew(candidate, entered))
        request = self.context.get("request")
        if request is None:
            return
        groups = groups_of(request.user)
        if groups is not None and candidate.group_id not in groups:
            raise serializers.ValidationError({"group": ["You are restricted to groups; choose one of them."]})
        guard_connection(request.user, before, candidate)

    def _entered(self, value: Any) -> Any:
        stored = self.instance.credentials if isinstance(self.instance, Connection) else {}
        return merged_credentials(value, stored=stored)


def shown_credentials(credentials: Any) -> dict[str, str]:
    """Return credentials as they may be read: references as they are, the mask for all else."""
    if not isinstance(credentials, Mapping):
        return {}
    return {name: value if is_reference(value) else MASK for name, value in sorted(credentials.items())}


def merged_credentials(entered: Any, *, stored: Mapping[str, str]) -> Any:
    """Return what to save for credentials as they were ``entered``: the mask keeps what is ``stored``."""
    if not isinstance(entered, Mapping):
        return entered
    return {name: stored.get(name, value) if value == MASK else value for name, value in entered.items()}


def entered_anew(candidate: Connection, entered: Any) -> bool:
    """Return whether every credential that ``candidate`` has stands in ``entered``, itself and not as the mask."""
    if not isinstance(entered, Mapping):
        return False
    names = set(candidate.credentials) & set(credential_names(candidate.auth))
    return all(name in entered and entered[name] != MASK for name in names)
