"""Whether an event still comes out at the other end: the hub sends itself one, signed, through the whole path.

Verification, storing, queue, a worker and a handler have to work for it. What it does not go through are the web server
and the proxy before it: the worker puts it through the receiving path in its own process. It is not counted:
statistics, metrics and rules about traffic are of what others send.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import Error, transaction

from deliveries.models import DeliveryStatus, Event
from deliveries.receiving.samples import CannotSign, send_sample
from deliveries.stats.own_traffic import SELF_CHECK
from integrations.models import Endpoint, EndpointState, Route, Secret

logger = structlog.get_logger(__name__)

ENDPOINT = SELF_CHECK
EVENT_TYPE = "self_check"
#: An event may take so many intervals, and so long besides, before it is late.
_INTERVALS = 3
_GRACE = timedelta(minutes=1)
#: Among so many of the newest one is looked for that came out.
_NEWEST = 30
#: A look that comes a little early is no reason to leave a minute out.
_EARLY = timedelta(seconds=10)


@dataclass(frozen=True)
class Seen:
    """How old the newest event is that came out, and whether that is too old."""

    endpoint: Endpoint
    age_seconds: float
    is_late: bool


def look(now: datetime) -> Seen | None:
    """Return how the self-check stands; None where it is off, or nothing has begun it yet."""
    if not settings.HUB_SELF_CHECK_SECONDS:
        return None
    endpoint = _endpoint()
    if endpoint is None:
        return None
    newest = Event.objects.filter(endpoint=endpoint).order_by("-received_at").values_list("pk", "received_at")[:_NEWEST]
    times = dict(newest)
    done = Event.objects.filter(pk__in=times, deliveries__status=DeliveryStatus.SUCCEEDED).values_list("pk", flat=True)
    last = max((times[pk] for pk in done), default=endpoint.created_at)
    longest = _INTERVALS * timedelta(seconds=settings.HUB_SELF_CHECK_SECONDS) + _GRACE
    return Seen(endpoint, max(0.0, (now - last).total_seconds()), now - last > longest)


def send(now: datetime) -> bool:
    """Send an event if it is time; return whether one was sent. Raises Django's database errors."""
    interval = timedelta(seconds=settings.HUB_SELF_CHECK_SECONDS)
    if not interval:
        return False
    endpoint = ensure_endpoint()
    since = now - interval + _EARLY
    if (
        endpoint.state != EndpointState.ACTIVE
        or Event.objects.filter(endpoint=endpoint, received_at__gt=since).exists()
    ):
        return False
    try:
        status, _ = send_sample(endpoint, event_type=EVENT_TYPE, payload={"type": EVENT_TYPE, "at": now.isoformat()})
    except CannotSign as exc:
        logger.error("self_check.not_sent", reason=str(exc))
        return False
    except Error:
        raise
    except Exception as exc:
        logger.exception("self_check.failed", error_type=type(exc).__name__)
        return False
    if status != endpoint.accepted_status:
        logger.error("self_check.refused", status=status)
    return True


@transaction.atomic
def ensure_endpoint() -> Endpoint:
    """Return the endpoint of the self-check, made with a secret and a route if it is missing.

    Nobody else can send there: its secret is known to nobody, and only this machine's network may.
    """
    row = _endpoint()
    if row is None:
        row = Endpoint.objects.create(
            slug=ENDPOINT,
            name="Self-check of the hub",
            provider="generic_hmac",
            settings={"event_type": "body:type"},
            allowed_networks=["127.0.0.0/8", "::1/128"],
            keep_events_days=1,
            keep_dead_letters_days=1,
        )
        Secret.objects.create(endpoint=row, value=secrets.token_urlsafe(32), label="self-check")
        Route.objects.create(endpoint=row, name="self-check", handler="log")
    return row


def _endpoint() -> Endpoint | None:
    return Endpoint.objects.live().filter(slug=ENDPOINT).first()
