"""``/replays/``: orders to run many deliveries again, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django_filters import rest_framework as filters
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import bulk_replay
from deliveries.api.audit import caller
from deliveries.api.described.replays import describe_replays
from deliveries.api.errors import Conflict
from deliveries.api.orders import EmptyOrder
from deliveries.api.releases import RateField
from deliveries.api.roles import MAY_OPERATE
from deliveries.api.selections import Unreadable, named, selection_from
from deliveries.models import Delivery, Replay, ReplayState
from deliveries.models.selection import SIGHT, in_sight
from integrations.api.checked import OrderSerializer
from integrations.api.views import UUID_REGEX, HubViewSet


class BulkOrder(OrderSerializer):
    """The body of an order: one of ``filter`` and ``deliveries``, or ``all``. Its ``selection`` is what they mean."""

    filter = serializers.DictField(required=False)
    deliveries = serializers.ListField(child=serializers.UUIDField(), required=False, allow_empty=False)
    all = serializers.BooleanField(default=False)
    from_start = serializers.BooleanField(default=False)
    rate_per_second = RateField()
    dry_run = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Add the selection; raises `ValidationError`, which names the filter that is wrong."""
        if "deliveries" in attrs and (attrs.get("filter") or attrs["all"]):
            raise serializers.ValidationError({"deliveries": ["Name deliveries, or give a filter, not both."]})
        try:
            if "deliveries" in attrs:
                read = named(attrs["deliveries"], among=Delivery.objects.visible_to(self.context["request"].user))
            else:
                read = selection_from(attrs.get("filter", {}))
        except Unreadable as exc:
            errors: Mapping[str, Any] = exc.errors
            raise serializers.ValidationError(errors if "deliveries" in attrs else {"filter": errors}) from exc
        try:
            selection = bulk_replay.complete(read, everything=attrs["all"])
        except bulk_replay.NothingSelected as exc:
            raise serializers.ValidationError({"filter": [f'{exc} ("all": true)']}) from exc
        except bulk_replay.NotReplayable as exc:
            raise serializers.ValidationError({"filter": {"status": [str(exc)]}}) from exc
        return {**attrs, "selection": in_sight(selection, self.context["request"].user)}


class ReplaySerializer(serializers.ModelSerializer[Replay]):
    """One order. ``filter`` is what it was ordered for; ``total`` is exact once it has ``started_at``."""

    filter = serializers.SerializerMethodField()

    class Meta:
        model = Replay
        fields = [
            "id",
            "state",
            "filter",
            "from_start",
            "rate_per_second",
            "total",
            "done",
            "succeeded",
            "failed",
            "skipped",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields
        shapes: dict[str, Any] = {"filter": {"type": "object", "additionalProperties": {}}}

    def get_filter(self, replay: Replay) -> dict[str, Any]:
        """Return what it was ordered for; deliveries named one by one, and endpoints in sight, are only counted."""
        counted = ("deliveries", SIGHT)
        return {name: len(value) if name in counted else value for name, value in replay.selection.items()}


class ReplayFilter(filters.FilterSet):  # type: ignore[misc]
    """Filters of ``GET /replays/``; ``state`` may be given several times."""

    state = filters.MultipleChoiceFilter("state", choices=ReplayState.choices, help_text="One or more.")

    class Meta:
        model = Replay
        fields: list[str] = []


@describe_replays(BulkOrder, ReplaySerializer)
class ReplayViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HubViewSet[Replay]):
    """Orders: give one, look at it, pause, resume and cancel it."""

    queryset = Replay.objects.all()
    serializer_class = ReplaySerializer
    filterset_class = ReplayFilter
    lookup_value_regex = UUID_REGEX
    action_permissions: ClassVar[dict[str, str]] = dict.fromkeys(("create", "pause", "resume", "cancel"), MAY_OPERATE)

    def create(self, request: Request) -> Response:
        """Give an order: 202. With ``dry_run`` say what it would be about: 200."""
        body = BulkOrder(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        values = body.validated_data
        if values["dry_run"]:
            found = bulk_replay.preview(values["selection"])
            counts = [row.as_json() for row in found]
            return Response({"dry_run": True, "total": sum(row.count for row in found), "counts": counts})
        replay = bulk_replay.order(
            values["selection"],
            by=caller(request),
            from_start=values["from_start"],
            rate_per_second=values["rate_per_second"],
            via="API",
        )
        return Response(self.get_serializer(replay).data, status=202)

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Stop it until it is resumed; what has not started stands again as it stood before."""
        return self._moved(request, bulk_replay.pause, "pending and running", "paused")

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let it go on."""
        return self._moved(request, bulk_replay.resume, "paused", "resumed")

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End it; what has not started stands again as it stood before."""
        return self._moved(request, bulk_replay.cancel, "pending, running and paused", "cancelled")

    def _moved(self, request: Request, move: Any, states: str, done: str) -> Response:
        EmptyOrder(data=request.data).is_valid(raise_exception=True)
        replay = self.get_object()
        if not move(replay, by=caller(request), via="API"):
            raise Conflict(f"The replay is {replay.state}; only {states} ones can be {done}.")
        return Response(self.get_serializer(replay).data)
