"""How endpoints, their secrets and routes look in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers

from integrations.api.checked import CheckedSerializer, messages
from integrations.errors import ReferenceMissing
from integrations.guards import (
    guard_named,
    guard_reference,
    guard_secrets,
    guard_sensitive,
    guard_settings,
    guard_shared_url,
)
from integrations.handlers import route_defaults
from integrations.masking import entered_settings, shown_settings
from integrations.models import Endpoint, EndpointGroup, Route, Secret, groups_of
from integrations.retry import RETRY_SCHEMA, RetryPolicy, merged
from integrations.validation import default_retry

_TEN_YEARS = 10 * 366 * 24 * 3600
#: The largest number that the column holds on every database.
MOST_AT_ONCE = 2**31 - 1

_TEXTS = {"type": "array", "items": {"type": "string"}}
_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": {}}


class LiveSecrets(serializers.ListSerializer[Any]):
    """The secrets of an endpoint that count, the newest first; ended ones are history."""

    live: list[Secret]

    def to_representation(self, data: Any) -> list[Any]:
        """Return the JSON of the live ones."""
        now = timezone.now()
        self.live = [secret for secret in data.all() if secret.expires_at is None or secret.expires_at > now]
        return super().to_representation(sorted(self.live, key=lambda secret: secret.id, reverse=True))


class SecretSerializer(CheckedSerializer[Secret]):
    """A key of an endpoint. ``value`` goes in and never comes out."""

    safe_to_retire = serializers.SerializerMethodField()

    class Meta:
        model = Secret
        fields = ["id", "label", "value", "created_at", "expires_at", "last_used_at", "safe_to_retire"]
        read_only_fields = ["id", "created_at", "last_used_at"]
        extra_kwargs = {"value": {"write_only": True, "max_length": 20_000}}
        list_serializer_class = LiveSecrets

    def get_safe_to_retire(self, secret: Secret) -> bool:
        """Return whether nothing is lost if it ends now; a secret by itself was made just now."""
        siblings = self.parent.live if isinstance(self.parent, LiveSecrets) else [secret]
        return secret.safe_to_retire(siblings, now=timezone.now())

    def validate_value(self, value: str) -> str:
        """Refuse a reference by who is restricted to groups."""
        request = self.context.get("request")
        if request is not None:
            try:
                guard_reference(request.user, value)
            except DjangoValidationError as exc:
                raise serializers.ValidationError(exc.messages) from exc
        return value

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        """Refuse an end that has passed: the secret would never count."""
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("This has passed.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the key against its endpoint's scheme; with a new endpoint, the endpoint's serializer does it."""
        endpoint = self.context.get("endpoint")
        if endpoint is not None:
            check_secret(endpoint, attrs)
        return attrs


class VisibleSlugField(serializers.SlugRelatedField[Any]):
    """A row by its slug or name, among those that the request's user may see; without a request, among all."""

    def get_queryset(self) -> Any:
        """Return the rows that can be named."""
        rows: Any = super().get_queryset()
        request = self.context.get("request")
        return rows if request is None else rows.visible_to(request.user)


class EndpointGroupSerializer(CheckedSerializer[EndpointGroup]):
    """Endpoints that belong together."""

    class Meta:
        model = EndpointGroup
        fields = ["id", "name", "description", "created_at", "updated_at"]
        read_only_fields = ["id", "created_at", "updated_at"]


class EndpointSerializer(CheckedSerializer[Endpoint]):
    """One public URL for one source, with its secrets."""

    group = VisibleSlugField(slug_field="name", queryset=EndpointGroup.objects.all(), required=False, allow_null=True)
    secrets = SecretSerializer(many=True, required=False, max_length=20)  # type: ignore[call-arg] # of the list
    nested_fields = ("secrets",)
    fixed_fields = {"secrets": "Secrets are added and ended at /endpoints/{slug}/secrets/."}

    class Meta:
        model = Endpoint
        fields = [
            "id",
            "slug",
            "name",
            "group",
            "provider",
            "settings",
            "state",
            "secrets",
            "url",
            "allowed_networks",
            "rate_per_second",
            "source_rate_per_second",
            "max_body_bytes",
            "accepted_status",
            "content_types",
            "dedupe",
            "dedupe_seconds",
            "batch",
            "shared_url",
            "priority",
            "sensitive",
            "keep_body_days",
            "keep_headers_days",
            "keep_attempts_days",
            "keep_dead_letters_days",
            "keep_events_days",
            "keep_rejections_days",
            "legal_hold",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "url", "legal_hold", "created_at", "updated_at"]
        shapes = {
            "provider": {"type": "string", "maxLength": 50},
            "settings": _OBJECT,
            "allowed_networks": _TEXTS,
            "content_types": _TEXTS,
            "url": {"type": ["string", "null"], "format": "uri"},
        }
        extra_kwargs = {
            "rate_per_second": {"min_value": 0.001},
            "source_rate_per_second": {"min_value": 0.001},
            "max_body_bytes": {"min_value": 1, "max_value": 1024**3},
            "accepted_status": {"min_value": 200, "max_value": 299},
            "dedupe_seconds": {"max_value": _TEN_YEARS},
            "priority": {"min_value": 0, "max_value": 9},
        }

    def validate_slug(self, value: str) -> str:
        """Refuse the slug of another endpoint in service."""
        others = Endpoint.objects.live().filter(slug=value)
        if isinstance(self.instance, Endpoint):
            others = others.exclude(pk=self.instance.pk)
        if others.exists():
            raise serializers.ValidationError("An endpoint with this slug exists already.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Keep the credentials in ``settings`` that came back masked, then check the whole row."""
        if "settings" in attrs:
            row = self.candidate(attrs)
            stored = self.instance.settings if isinstance(self.instance, Endpoint) else {}
            attrs = {**attrs, "settings": entered_settings(row.provider, attrs["settings"], stored=stored)}
        return super().validate(attrs)

    def to_representation(self, instance: Endpoint) -> dict[str, Any]:
        """Return the JSON, with the credentials in ``settings`` masked."""
        shown = super().to_representation(instance)
        shown["settings"] = shown_settings(instance.provider, instance.settings)
        return shown

    def check(self, candidate: Endpoint, attrs: Mapping[str, Any]) -> None:
        """Check what the user may enter; new secrets against the scheme, a changed scheme against the secrets."""
        self._check_person(candidate)
        problems = [_secret_problem(candidate, secret) for secret in attrs.get("secrets", [])]
        if any(problems):
            raise serializers.ValidationError({"secrets": problems})
        if isinstance(self.instance, Endpoint) and {"provider", "settings"} & attrs.keys():
            now = timezone.now()
            guard_secrets(self.instance, provider=candidate.provider, settings=candidate.settings, now=now)
            live = self.instance.secrets.live(now)
            if any(_secret_problem(candidate, {"value": secret.value}) for secret in live):
                raise serializers.ValidationError(
                    {"provider": ["A live secret does not fit this provider and settings; end it first."]}
                )

    def _check_person(self, candidate: Endpoint) -> None:
        """Check what who is restricted to groups may not enter; without a request, nobody is."""
        request = self.context.get("request")
        if request is None:
            return
        groups = groups_of(request.user)
        if groups is not None and candidate.group_id not in groups:
            raise serializers.ValidationError({"group": ["You are restricted to groups; choose one of them."]})
        before = self.instance if isinstance(self.instance, Endpoint) else Endpoint()
        guard_settings(request.user, provider=candidate.provider, settings=candidate.settings, stored=before.settings)
        guard_shared_url(request.user, before=before.shared_url, after=candidate.shared_url)
        guard_sensitive(request.user, before=before.sensitive, after=candidate.sensitive)

    @transaction.atomic
    def create(self, validated_data: Mapping[str, Any]) -> Endpoint:
        """Save the endpoint and its secrets."""
        endpoint = self.candidate(validated_data)
        endpoint.save(force_insert=True)
        for secret in validated_data.get("secrets", []):
            endpoint.secrets.create(**secret)
        return endpoint


class RouteSerializer(CheckedSerializer[Route]):
    """Which events of an endpoint go to which handler."""

    endpoint = VisibleSlugField(slug_field="slug", queryset=Endpoint.objects.live())
    fixed_fields = {"endpoint": "A route stays with its endpoint; make another one."}

    class Meta:
        model = Route
        fields = [
            "id",
            "endpoint",
            "name",
            "events",
            "filter",
            "handler",
            "config",
            "retry",
            "timeout_seconds",
            "priority",
            "concurrency",
            "ordering_key",
            "ordering_failure",
            "enabled",
            "paused",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "created_at", "updated_at"]
        shapes = {
            "events": _TEXTS,
            "handler": {"type": "string", "maxLength": 100},
            "config": _OBJECT,
            "retry": RETRY_SCHEMA,
        }
        extra_kwargs = {
            "timeout_seconds": {"min_value": 0.001, "max_value": 3600},
            "priority": {"min_value": 0, "max_value": 9},
            "concurrency": {"min_value": 1, "max_value": MOST_AT_ONCE},
        }

    def check(self, candidate: Route, attrs: Mapping[str, Any]) -> None:
        """Refuse connections that are not there, or not for the user; those that the route has stay."""
        before = self.instance if isinstance(self.instance, Route) else Route()
        request = self.context.get("request")
        user = None if request is None else request.user
        guard_named(user, handler=candidate.handler, config=candidate.config, stored=(before.handler, before.config))

    def validate_retry(self, value: dict[str, Any]) -> dict[str, Any]:
        """Merge into the policy that the route has; `validate` completes a new route's from its handler's."""
        return merged(self.instance.retry, value) if isinstance(self.instance, Route) else value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Start a new route from its handler's defaults, then check the whole row."""
        if self.instance is None:
            defaults = route_defaults(attrs["handler"])
            retry = merged(defaults.get("retry", default_retry()), attrs.get("retry", {}))
            attrs = {**defaults, **attrs, "retry": retry}
        return super().validate(attrs)

    def to_representation(self, instance: Route) -> dict[str, Any]:
        """Return the JSON, with the whole retry policy, defaults included."""
        shown = super().to_representation(instance)
        shown["retry"] = RetryPolicy.from_json(instance.retry).as_json()
        return shown


def check_secret(endpoint: Endpoint, attrs: Mapping[str, Any]) -> None:
    """Raise `serializers.ValidationError` if the endpoint's scheme cannot use this key."""
    problem = _secret_problem(endpoint, attrs)
    if problem:
        raise serializers.ValidationError(problem)


def _secret_problem(endpoint: Endpoint, attrs: Mapping[str, Any]) -> Any:
    try:
        Secret(endpoint=endpoint, **attrs).full_clean(exclude=["endpoint"], validate_unique=False)
    except DjangoValidationError as exc:
        return messages(exc)
    except ReferenceMissing as exc:
        return {"value": [str(exc)]}
    return {}
