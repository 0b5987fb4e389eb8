"""Whether an event still comes out at the other end: the hub sends itself one, signed, through the whole path.

Verification, storing, queue, a worker and a handler have to work for it, and where `HUB_SELF_CHECK_URL` names the hub's
address, what stands at that address: web server, or proxy, name and certificate. Otherwise the worker puts it through
the receiving path in its own process. It is not counted: statistics, metrics and rules about traffic are of what others
send.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import httpx
import structlog
from django.conf import settings
from django.db import Error, ProgrammingError, connections, transaction
from django.utils import timezone, translation

from deliveries.models import Delivery, DeliveryStatus, Event, Rejection
from deliveries.receiving.samples import CannotSign, send_sample, signed_sample
from deliveries.stats.own_traffic import SELF_CHECK
from integrations.contracts import InboundRequest
from integrations.models import Endpoint, EndpointState, Route, Secret, UnnamedHealth
from integrations.unreachable import cause_of

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
#: Where it may come from while it is sent within a worker.
_OWN_NETWORKS = ["127.0.0.0/8", "::1/128"]
_HTTP_SECONDS = 10.0
#: Held while a request is under way: whoever does not answer is not asked twice at a time.
_under_way = threading.Lock()
#: Under which key all processes find why the last one did not arrive; a system that is called without a connection.
_HEALTH = SELF_CHECK
#: The clocks of the machines that send and receive may differ by so much.
_CLOCKS_DIFFER = timedelta(seconds=5)

#: PostgreSQL's word for what a role has no right to.
_NOT_ALLOWED = "42501"

#: Why nothing arrived, beside the values of `integrations.unreachable.Cause`; what belongs to it follows a space.
STATUS, OTHER_ANSWER, NOT_SIGNED, FAILED = "status", "other_answer", "not_signed", "failed"


class Part(StrEnum):
    """The part of the way that the event has not passed."""

    OFF = "off"  #: it is not sent: its endpoint is not active
    RECEIVING = "receiving"  #: it was sent, or should have been, and nothing of it arrived
    VERIFYING = "verifying"  #: it arrived, and was refused
    ROUTING = "routing"  #: it was stored, and no delivery was made
    HANDLING = "handling"  #: its delivery did not succeed


@dataclass(frozen=True)
class Stuck:
    """Where the newest one got to: ``at`` is when it arrived.

    ``detail`` is a refusal's reason, or a delivery's status; of one that did not arrive why, "" if nobody knows.
    """

    part: Part
    at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True)
class Seen:
    """How old the newest event is that came out, how long that took, and whether it is older than ``longest_seconds``.

    ``took_seconds`` is None while none has come out; ``stuck`` is None unless it is late.
    """

    endpoint: Endpoint
    age_seconds: float
    is_late: bool
    longest_seconds: float
    took_seconds: float | None = None
    stuck: Stuck | None = None


def look(now: datetime) -> Seen | None:
    """Return how the self-check stands; None where it is off, or nothing has begun it yet."""
    if not settings.HUB_SELF_CHECK_SECONDS:
        return None
    endpoint = _endpoint()
    if endpoint is None:
        return None
    newest = Event.objects.filter(endpoint=endpoint).order_by("-received_at").values_list("pk", "received_at")[:_NEWEST]
    times = dict(newest)
    handled = Event.objects.filter(pk__in=times, deliveries__status=DeliveryStatus.SUCCEEDED)
    done = {times[pk]: at for pk, at in handled.values_list("pk", "deliveries__finished_at")}
    last = max(done, default=endpoint.created_at)
    finished_at = done.get(last)
    longest = _INTERVALS * timedelta(seconds=settings.HUB_SELF_CHECK_SECONDS) + _GRACE
    is_late = now - last > longest
    return Seen(
        endpoint,
        age_seconds=max(0.0, (now - last).total_seconds()),
        is_late=is_late,
        longest_seconds=longest.total_seconds(),
        took_seconds=None if finished_at is None else max(0.0, (finished_at - last).total_seconds()),
        stuck=_stuck(endpoint, after=last) if is_late else None,
    )


def _stuck(endpoint: Endpoint, *, after: datetime) -> Stuck:
    """Return how far the newest one got since ``after``; what happened last counts."""
    event = Event.objects.filter(endpoint=endpoint, received_at__gt=after).order_by("-received_at").first()
    refused = Rejection.objects.filter(endpoint=endpoint, received_at__gt=after).order_by("-received_at").first()
    if endpoint.state != EndpointState.ACTIVE:
        return Stuck(Part.OFF)
    arrived = max((row.received_at for row in (event, refused) if row is not None), default=after)
    why = UnnamedHealth.objects.filter(key=_HEALTH, last_error_at__gt=arrived + _CLOCKS_DIFFER).first()
    if why is not None:
        return Stuck(Part.RECEIVING, detail=why.last_error)
    if refused is not None and (event is None or refused.received_at > event.received_at):
        return Stuck(Part.VERIFYING, refused.received_at, refused.reason)
    if event is None:
        return Stuck(Part.RECEIVING)
    status = Delivery.objects.filter(event=event).order_by("-created_at").values_list("status", flat=True).first()
    if status is None:
        return Stuck(Part.ROUTING, event.received_at)
    return Stuck(Part.HANDLING, event.received_at, status)


@translation.override(None)  # why it is not sent stands in the log, which is English
def send(now: datetime) -> bool:
    """Send an event if it is time; return whether one was sent. Raises Django's database errors."""
    interval = timedelta(seconds=settings.HUB_SELF_CHECK_SECONDS)
    if not interval:
        return False
    try:
        endpoint = ensure_endpoint()
    except ProgrammingError as exc:
        if getattr(exc.__cause__, "sqlstate", "") != _NOT_ALLOWED:
            raise
        logger.error("self_check.not_made")
        return False
    since = now - interval + _EARLY
    if (
        endpoint.state != EndpointState.ACTIVE
        or Event.objects.filter(endpoint=endpoint, received_at__gt=since).exists()
    ):
        return False
    payload = {"type": EVENT_TYPE, "at": now.isoformat()}
    began = timezone.now()
    try:
        if settings.HUB_SELF_CHECK_URL:
            return _send_over_http(signed_sample(endpoint, event_type=EVENT_TYPE, payload=payload))
        status, _ = send_sample(endpoint, event_type=EVENT_TYPE, payload=payload)
    except CannotSign as exc:
        logger.error("self_check.not_sent", reason=str(exc))
        _keep_why(NOT_SIGNED, at=began)
        return False
    except Error:
        raise
    except Exception as exc:
        logger.exception("self_check.failed", error_type=type(exc).__name__)
        _keep_why(f"{FAILED} {type(exc).__name__}", at=began)
        return False
    if status != endpoint.accepted_status:
        logger.error("self_check.refused", status=status)
        _keep_why(f"{STATUS} {status}", at=began)
    return True


def _keep_why(why: str, *, at: datetime) -> None:
    """Keep why what was sent at that time did not arrive: who looks and who sends are different processes."""
    kept = {"name": "HUB_SELF_CHECK_URL", "last_error": why[:500], "last_error_at": at}
    UnnamedHealth.objects.update_or_create(key=_HEALTH, defaults=kept)


def _send_over_http(request: InboundRequest) -> bool:
    """Send ``request`` in a thread of its own, as a worker does not wait for it; False while one is under way."""
    if not _under_way.acquire(blocking=False):
        return False
    threading.Thread(target=_post, args=(request,), name="self-check", daemon=True).start()
    return True


def _post(request: InboundRequest) -> None:
    began = timezone.now()
    try:
        if why := _why_not(request):
            _keep_why(why, at=began)
    except Error as exc:  # the log has why, and the database's being away is told by others
        logger.warning("self_check.not_noted", error_type=type(exc).__name__)
    finally:
        connections.close_all()  # this thread's own
        _under_way.release()


def _why_not(request: InboundRequest) -> str:
    """Send ``request``; return why it has not arrived, "" if it has."""
    own = urlsplit(request.url)
    url = f"{settings.HUB_SELF_CHECK_URL}{own.path.removeprefix(urlsplit(settings.HUB_BASE_URL).path)}"
    # Under the hub's own name, wherever it is sent to: no other is answered.
    headers = {**request.headers, "Host": own.netloc}
    try:
        # Not by the environment's proxy: what stands before the hub is to be tried, and no other.
        answer = httpx.post(url, content=request.body, headers=headers, timeout=_HTTP_SECONDS, trust_env=False)
    except httpx.HTTPError as exc:
        cause = cause_of(exc)
        logger.error("self_check.unreachable", error_type=type(exc).__name__, reason=cause.value)
        return cause.value
    if answer.is_success and _is_ours(answer):
        return ""
    logger.error("self_check.refused", status=answer.status_code)
    return f"{OTHER_ANSWER if answer.is_success else STATUS} {answer.status_code}"


def _is_ours(answer: httpx.Response) -> bool:
    """Return whether an answer names the event that was stored; whatever else says 200 has stored none."""
    try:
        said = answer.json()
    except ValueError:
        return False
    return isinstance(said, dict) and "event" in said


@transaction.atomic
def ensure_endpoint() -> Endpoint:
    """Return the endpoint of the self-check, made with a secret and a route if it is missing.

    A worker with a role of its own may not make it: `database_roles --apply` has then done so.

    Nobody else can send there: its secret is known to nobody. Over HTTP it may come from any network, as workers and
    proxies have addresses of their own; otherwise from this machine's alone.
    """
    networks = [] if settings.HUB_SELF_CHECK_URL else _OWN_NETWORKS
    row = _endpoint()
    if row is None:
        row = Endpoint.objects.create(
            slug=ENDPOINT,
            name="Self-check of the hub",
            provider="generic_hmac",
            settings={"event_type": "body:type"},
            allowed_networks=networks,
            keep_events_days=1,
            keep_dead_letters_days=1,
        )
        Secret.objects.create(endpoint=row, value=secrets.token_urlsafe(32), label="self-check")
        Route.objects.create(endpoint=row, name="self-check", handler="log")
    elif not networks and row.allowed_networks == _OWN_NETWORKS:
        row.allowed_networks = networks
        row.save(update_fields=["allowed_networks", "updated_at"])
    return row


def _endpoint() -> Endpoint | None:
    return Endpoint.objects.live().filter(slug=ENDPOINT).first()
