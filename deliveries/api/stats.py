"""``/stats/``: what happened in a window of time, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deliveries.api.described.stats import describe_stats
from deliveries.models import Delivery
from deliveries.models.rollup import COUNTS, TIMINGS, Measure
from deliveries.stats import queue, reading
from deliveries.stats.reading import Figures, Summary
from deliveries.stats.windows import Window, window
from integrations.api.permissions import ModelPermissions
from integrations.models import Endpoint

DEFAULT_WINDOW = "24h"
_PARAMETERS = ("window", "endpoint")
_PERCENTILES = (50, 95, 99)


class CountsSerializer(serializers.Serializer[Any]):
    """How often something happened."""

    accepted = serializers.IntegerField(help_text="Events stored.")
    duplicate = serializers.IntegerField(help_text="Requests answered as duplicates.")
    refused = serializers.IntegerField(help_text="Requests refused.")
    succeeded = serializers.IntegerField(help_text="Deliveries that succeeded.")
    dead = serializers.IntegerField(help_text="Deliveries that gave up.")
    discarded = serializers.IntegerField(help_text="Deliveries that somebody discarded.")
    failed = serializers.IntegerField(help_text="Attempts that failed, timed out or were lost.")


class SlotSerializer(CountsSerializer):
    """One span of time."""

    at = serializers.DateTimeField(help_text="Its beginning.")


class TimingSerializer(serializers.Serializer[Any]):
    """Percentiles in milliseconds, at most 26 % off; null if nothing was timed."""

    count = serializers.IntegerField()
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class TimingsSerializer(serializers.Serializer[Any]):
    """What is timed."""

    ack = TimingSerializer(help_text="From the arrival of a request to its answer, of those that were accepted.")
    done = TimingSerializer(help_text="From receipt, or a replay, to success; bulk replays are not in it.")
    handler = TimingSerializer(help_text="How long handlers ran.")


class EndpointStatsSerializer(serializers.Serializer[Any]):
    """One endpoint's part; only spans in which something happened."""

    endpoint = serializers.CharField(help_text="The endpoint's slug.")
    counts = CountsSerializer()
    latency_ms = TimingsSerializer()
    slots = SlotSerializer(many=True)


class QueueSerializer(serializers.Serializer[Any]):
    """What is due now and waits for a worker."""

    depth = serializers.IntegerField()
    is_at_least = serializers.BooleanField(help_text="Whether there are more than are counted of a route (1000).")
    oldest_due_seconds = serializers.FloatField()


StatsSerializer = type(
    "StatsSerializer",
    (serializers.Serializer,),
    {
        "__doc__": "What happened in a window of time.",
        "window": serializers.CharField(),
        # A keyword of Python's, and so no name in a class body.
        "from": serializers.DateTimeField(help_text="The beginning of the first span."),
        "to": serializers.DateTimeField(help_text="Now."),
        "slot_seconds": serializers.IntegerField(help_text="How long a span is: a minute, an hour or a UTC day."),
        "counts": CountsSerializer(),
        "refused_by_reason": serializers.DictField(
            child=serializers.IntegerField(), help_text="By whole hours, the one in which the window begins included."
        ),
        "latency_ms": TimingsSerializer(),
        "queue": QueueSerializer(),
        "slots": SlotSerializer(many=True),
        "endpoints": EndpointStatsSerializer(many=True),
    },
)


class StatsView(APIView):
    """GET: counts by endpoint, status and span of time, percentiles, and the queue."""

    queryset = Delivery.objects.all()
    permission_classes = [ModelPermissions]
    http_method_names = ["get", "head"]

    @describe_stats(StatsSerializer)
    def get(self, request: Request) -> Response:
        """Return what happened at the endpoints that the user may see."""
        asked = _window(request)
        slug = request.query_params.get("endpoint")
        endpoints = None
        if slug is not None:
            rows = Endpoint.objects.visible_to(request.user).filter(slug=slug)
            # No such endpoint, or not for this user: the answer is the same, and empty.
            endpoints = list(rows.values_list("pk", flat=True))
        found = reading.summary(request.user, asked, endpoints=endpoints)
        waiting = queue.look(request.user, now=asked.until, endpoints=endpoints)
        return Response(
            {
                "window": asked.text,
                "from": asked.since,
                "to": asked.until,
                "slot_seconds": int(asked.grain.length.total_seconds()),
                "counts": _counts(found.counts),
                "refused_by_reason": reading.refusals(request.user, asked, endpoints=endpoints),
                "latency_ms": _latency(found),
                "queue": {
                    "depth": waiting.depth,
                    "is_at_least": waiting.is_at_least,
                    "oldest_due_seconds": round(waiting.age(asked.until), 3),
                },
                "slots": [_slot(at, figures.counts) for at, figures in found.slots.items()],
                "endpoints": _endpoints(found),
            }
        )


def _window(request: Request) -> Window:
    unknown = [name for name in request.query_params if name not in _PARAMETERS]
    if unknown:
        accepted = ", ".join(sorted(_PARAMETERS))
        raise serializers.ValidationError(
            {name[:100]: [f"No such parameter; there are {accepted}."] for name in unknown[:20]}
        )
    if "\0" in request.query_params.get("endpoint", ""):
        raise serializers.ValidationError({"endpoint": ["Null characters are not allowed."]})
    try:
        return window(request.query_params.get("window", DEFAULT_WINDOW), now=timezone.now())
    except ValueError as exc:
        raise serializers.ValidationError({"window": [str(exc)]}) from exc


def _counts(counts: Mapping[Measure, int]) -> dict[str, int]:
    return {str(measure): counts.get(measure, 0) for measure in COUNTS}


def _slot(at: datetime, counts: Mapping[Measure, int]) -> dict[str, Any]:
    return {"at": at, **_counts(counts)}


def _latency(figures: Figures) -> dict[str, Any]:
    return {
        str(measure): {
            "count": figures.timings[measure].total(),
            **{f"p{percent}": figures.milliseconds(measure, percent) for percent in _PERCENTILES},
        }
        for measure in TIMINGS
    }


def _endpoints(found: Summary) -> list[dict[str, Any]]:
    named = Endpoint.objects.filter(pk__in=found.endpoints).order_by("slug").values_list("slug", "pk")
    return [
        {
            "endpoint": slug,
            "counts": _counts(figures.counts),
            "latency_ms": _latency(figures),
            "slots": [_slot(at, figures.slots[at]) for at in sorted(figures.slots)],
        }
        for slug, figures in ((slug, found.endpoints[pk]) for slug, pk in named)
    ]
