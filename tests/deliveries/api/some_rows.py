"""A database with a row for every operation of the API to succeed with, and some for it to refuse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from deliveries import audit
from deliveries.models import (
    Alert,
    AlertRule,
    AuditEntry,
    Backfill,
    BackfillRun,
    Delivery,
    Erasure,
    Event,
    EventVariant,
    Rejection,
    Replay,
    Schedule,
    Shape,
)  # fmt: skip
from deliveries.models.sealing import sealed_columns
from deliveries.shapes.learning import learn
from deliveries.shapes.paths import fields_of
from integrations.handlers import handlers
from integrations.models import AwaitedSecret, Connection, Endpoint, EndpointGroup
from integrations.providers import providers
from tests.deliveries.receiving.cases import signature
from tests.factories import make_delivery, make_endpoint, make_event, make_route

SECRET = "s3cret-of-orders"
JSON = {"content_type": "application/json"}
BODY = b'{"id": "o-1001", "type": "order.paid", "total": 250}'


def make_rows() -> dict[str, list[Any]]:
    """Make the rows; return what a call can name of them, by the names of resources, parameters and fields."""
    orders = make_endpoint(slug="orders", provider="generic_hmac", secret=SECRET)
    asana = make_endpoint(slug="asana", provider="asana")
    paused = make_endpoint(slug="paused", state="paused", sensitive=True)
    deliver_a_secret(asana)
    routes = [make_route(orders, events=["order.*"]), make_route(paused, paused=True)]
    event = make_event(orders, event_type="order.paid", body=BODY)
    opaque = make_event(paused, body=b"\x89PNG", content_type="image/png", headers={"Accept": "*/*"})
    deliveries = [
        dead(make_delivery(routes[0], event=event)),
        make_delivery(routes[1], event=opaque, status="held"),
        make_delivery(routes[0]),
    ]
    variant = EventVariant.objects.create(
        event=event, body_sha256=b"v" * 32, received_at=timezone.now(), raw_body=BODY, body_bytes=len(BODY), **JSON
    )
    unserved = make_route(orders, filter="total > `100`")
    replays = [
        Replay.objects.create(selection={"endpoint": orders.slug}, state=state, created_at=timezone.now())
        for state in ("running", "paused")
    ]
    Connection.objects.create(name="crm", base_url="https://crm.example.com", test_path="/me")
    inside = make_endpoint(slug="inside", provider="internal")
    schedule = Schedule.objects.create(name="nightly", endpoint=inside, cron="0 3 * * *")
    rules = [AlertRule.objects.create(name=f"rule {n}", kind="dead_letters", endpoint=orders) for n in range(2)]
    alert = Alert.objects.create(
        rule=rules[0],
        rule_name="rule 0",
        kind="dead_letters",
        endpoint=orders,
        state="firing",
        **dict.fromkeys(("since", "seen_at", "fired_at"), timezone.now()),
    )
    shape = make_shape(orders, event)
    erasures = [
        Erasure.objects.create(
            sought="ada@example.com", value_hmac="0" * 64, state="counted", created_at=timezone.now()
        )
        for _ in range(2)
    ]
    make_route(make_endpoint(slug="hub-alerts", provider="internal"))
    groups = [EndpointGroup.objects.create(name="payments", description="What is paid")]
    code = make_endpoint(slug="code", provider="github")
    backfill, run = backfilled(make_endpoint(slug="more-code", provider="github"))
    audit.record(audit.Action.CHANGED, orders, by=None, message="changed name.")
    made = {
        "connections": ["crm"],
        "schedules": [schedule.pk],
        "alert-rules": [row.pk for row in rules],
        "alerts": [alert.pk],
        "shapes": [shape.pk],
        "erasures": [row.pk for row in erasures],
        "rule": [rules[0].pk],
        "time_zone": ["UTC", "Europe/Berlin"],
        "quiet_times": ["", "SAT,SUN"],
        "endpoint-groups": [group.name for group in groups],
        "group": [None, "payments"],
        "audit": [row.pk for row in AuditEntry.objects.all()],
        "replays": [row.pk for row in replays],
        "endpoints": [orders.slug, asana.slug, paused.slug],
        "routes": [route.pk for route in (*routes, unserved)],
        "events": [event.pk, opaque.pk],
        "deliveries": [row.pk for row in deliveries],
        "variant": [variant.pk],
        "rejections": [row.pk for row in refuse(orders)],
        "backfills": [backfill.pk],
        "backfill-runs": [run.pk],
        "backfill": [backfill.pk],
        "connection": ["github"],
        "source": [{}, {"repository": "octo-org/hello", "hook": 42}],
        "endpoint": [orders.slug, paused.slug, code.slug],
        "event": [event.pk],
        "route": [routes[0].pk],
        "secret_id": [secret.pk for secret in orders.secrets.all()],
        "provider": ["generic_hmac", "generic_none", *providers],
        "handler": list(handlers),
        "config": [{}, {"url": "https://shop.example.com/"}],
        "settings": [{}, {"event_id": "body:id"}],
        "filter": ["", "total > `100`"],
        "path": ["", "customer.id"],
        "allowed_networks": [[], ["192.0.2.0/24"]],
        "content_types": [[], ["application/json"]],
        "dedupe": ["id", "body", "order.id"],
    }
    return {name: [str(v) if isinstance(v, UUID) else v for v in values] for name, values in made.items()}


def make_shape(endpoint: Endpoint, event: Event) -> Shape:
    """Let the payloads of an event type be learned, and have changed once."""
    now = timezone.now()
    times = dict.fromkeys(("first_seen_at", "last_seen_at", "learns_since", "learned_at"), now)
    row = Shape(endpoint=endpoint, event_type=event.event_type, **times)
    for payload in (event.payload, {**event.payload, "total": "250"}):
        learn(row, fields_of(payload), at=now, event=event.pk)
    row.save()
    return row


def backfilled(endpoint: Endpoint) -> tuple[Backfill, BackfillRun]:
    """Let the provider of ``endpoint`` have been asked what it sent."""
    connection = Connection.objects.create(name="github", base_url="https://api.github.com")
    row = Backfill.objects.create(endpoint=endpoint, connection=connection, interval_minutes=30)
    now = timezone.now()
    times = dict.fromkeys(("since", "until", "created_at", "finished_at", "free_at"), now)
    return row, BackfillRun.objects.create(backfill=row, state="failed", problem="Not answered.", **times)


def of_nobody(slug: str) -> None:
    """Let no endpoint have ``slug``."""
    Endpoint.objects.filter(slug=slug).update(slug=f"once-{slug}")


def deliver_a_secret(endpoint: Endpoint) -> None:
    """Let the provider have delivered a secret that nobody has confirmed yet."""
    now = timezone.now()
    AwaitedSecret.objects.create(
        endpoint=endpoint, started_at=now, expires_at=now, received_at=now, value="b537207f20cbfa02", source="192.0.2.7"
    )


def dead(delivery: Delivery) -> Delivery:
    """Let ``delivery`` have given up, with an attempt that has everything to show."""
    now = timezone.now()
    delivery.status, delivery.finished_at, delivery.attempt_count = "dead", now, 3
    delivery.save()
    delivery.attempts.create(
        number=3,
        trigger="retry",
        outcome="failed",
        started_at=now - timedelta(seconds=1),
        finished_at=now,
        error_type="AnswerNotSuccessful",
        log=[{"at": now.isoformat(), "message": "sending", "fields": {"bytes": 3}}],
        response={"status": 503, "body": "later"},
    )
    return delivery


def refuse(endpoint: Endpoint) -> list[Rejection]:
    """Make rejections: one that passes today, one that is still wrong, one whose body was not kept."""
    return [
        Rejection.objects.create(endpoint=endpoint, reason="signature_mismatch", received_at=timezone.now(), **kept)
        for kept in (signed(signature(BODY, SECRET)), signed(signature(BODY, "another")), {"source": "192.0.2.7"})
    ]


def signed(proof: str) -> dict[str, Any]:
    return sealed_columns(
        headers={"X-Signature": proof, "Content-Type": "application/json"},
        query_string="",
        body=BODY,
        content_type="application/json",
        secret_headers={"x-signature"},
        secret_parameters=(),
        encrypt_body=False,
    )
