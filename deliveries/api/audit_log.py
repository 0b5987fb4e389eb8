"""``/audit/``: who did what, when, and from where."""

from __future__ import annotations

from django_filters import rest_framework as filters
from rest_framework import mixins, serializers

from deliveries.api.described import describe_audit_log
from deliveries.api.filters import InstantFilter
from deliveries.models import Action, AuditEntry
from integrations.api.views import UUID_REGEX, HubViewSet

_LONGEST = 200


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """One thing that somebody did; ``before`` and ``after`` are the columns that changed, credentials masked."""

    endpoint = serializers.CharField(source="endpoint.slug", default=None, allow_null=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "at",
            "who",
            "via",
            "source",
            "request_id",
            "action",
            "object_type",
            "object_id",
            "object_name",
            "endpoint",
            "message",
            "before",
            "after",
        ]
        read_only_fields = fields
        shapes = {
            "before": {"type": ["object", "null"], "additionalProperties": {}},
            "after": {"type": ["object", "null"], "additionalProperties": {}},
        }


class AuditFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /audit/``; ``action`` may be given several times."""

    who = filters.CharFilter("who", max_length=_LONGEST, help_text="The user's name, whole.")
    via = filters.CharFilter("via", max_length=_LONGEST, help_text="`admin`, `api`, `command` or `hub`.")
    source = filters.CharFilter("source", max_length=_LONGEST, help_text="The address it came from.")
    action = filters.MultipleChoiceFilter("action", choices=Action.choices, help_text="One or more.")
    object_type = filters.CharFilter("object_type", max_length=_LONGEST, help_text="Such as `endpoint`.")
    object_id = filters.CharFilter("object_id", max_length=_LONGEST, help_text="The id of what it was done to.")
    endpoint = filters.CharFilter("endpoint__slug", max_length=_LONGEST, help_text="The endpoint's slug.")
    at_after = InstantFilter("at", "gte")
    at_before = InstantFilter("at", "lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


@describe_audit_log(AuditEntrySerializer)
class AuditViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[AuditEntry]):
    """List and detail; nothing is ever changed here."""

    queryset = AuditEntry.objects.select_related("endpoint")
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    lookup_value_regex = UUID_REGEX
