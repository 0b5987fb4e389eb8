"""Two groups of endpoints with a row of everything each, and a user who is restricted to the first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone

from deliveries import audit
from deliveries.models import (
    Alert,
    AlertRule,
    AuditEntry,
    Backfill,
    BackfillRun,
    Batch,
    EventVariant,
    Rejection,
    RejectionCount,
    Replay,
    SavedView,
    Schedule,
    Shape,
    Worker,
)
from deliveries.shapes.learning import learn
from deliveries.shapes.paths import fields_of
from integrations.models import AwaitedSecret, Connection, Endpoint, EndpointGroup, Restriction, Secret
from tests.deliveries.api.some_rows import BODY, deliver_a_secret, signed
from tests.deliveries.receiving.cases import signature
from tests.factories import make_delivery, make_endpoint, make_event, make_route

OURS, THEIRS = "zebra", "walrus"


def restrict(user: User, *groups: EndpointGroup) -> Restriction:
    restriction, _ = Restriction.objects.get_or_create(user=user)
    restriction.groups.add(*groups)
    return restriction


class Team:
    """A group with an endpoint and one row of everything; each carries ``word`` where it has a text."""

    def __init__(self, word: str) -> None:
        now = timezone.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        self.word = word
        self.group = EndpointGroup.objects.create(name=f"{word}-group", description=f"{word} team")
        self.endpoint = make_endpoint(
            slug=f"{word}-endpoint",
            name=f"{word} name",
            provider="generic_hmac",
            secret=f"{word}-key",
            group=self.group,
        )
        self.secret = self.endpoint.secrets.get()
        Secret.objects.filter(pk=self.secret.pk).update(label=f"{word} label")
        self.route = make_route(self.endpoint, name=f"{word} route")
        batch = Batch.objects.create(endpoint=self.endpoint, provider="generic_hmac", item_count=1, received_at=now)
        self.event = make_event(
            self.endpoint, event_id=f"{word}-event", event_type=f"{word}.paid", body=b'{"of": "%b"}' % word.encode()
        )
        self.variant = EventVariant.objects.create(
            event=self.event, body_sha256=b"1" * 32, received_at=now, raw_body=word.encode(), body_bytes=6
        )
        type(self.event).objects.filter(pk=self.event.pk).update(batch=batch, batch_index=0)
        self.delivery = make_delivery(
            self.route, event=self.event, status="dead", finished_at=now, last_error=f"{word} failed", attempt_count=1
        )
        self.pending = make_delivery(self.route, event=make_event(self.endpoint, event_type=f"{word}.new"))
        self.rejection = Rejection.objects.create(
            endpoint=self.endpoint, reason=f"{word}_reason", received_at=now, raw_body=word.encode(), source="192.0.2.1"
        )
        self.count = RejectionCount.objects.create(endpoint=self.endpoint, reason=f"{word}_reason", hour=hour, count=7)

        audit.record(audit.Action.CHANGED, self.endpoint, by=None, message=f"{word} changed", who=word)
        self.entry = AuditEntry.objects.get(endpoint=self.endpoint)
        self.connection = Connection.objects.create(
            name=f"{word}-system",
            base_url=f"https://{word}.example.com",
            group=self.group,
            auth="bearer",
            credentials={"token": f"{word}-token"},
        )
        self.backfill = Backfill.objects.create(endpoint=self.endpoint, connection=self.connection)
        self.run = BackfillRun.objects.create(
            backfill=self.backfill, created_by=word, state="finished", since=now, until=now, created_at=now, free_at=now
        )
        inside = make_endpoint(slug=f"{word}-inside", provider="internal", group=self.group)
        self.schedule = Schedule.objects.create(name=f"{word}-nightly", endpoint=inside, cron="0 3 * * *")
        self.replay = Replay.objects.create(
            selection={"endpoint_id": str(self.endpoint.pk)},
            description=f"endpoint {self.endpoint.slug}",
            created_by=word,
            created_at=now,
        )
        self.replay.endpoints.add(self.endpoint)
        self.rule = AlertRule.objects.create(name=f"{word} fails", kind="dead_letters", endpoint=self.endpoint)
        self.alert = Alert.objects.create(
            rule=self.rule,
            rule_name=f"{word} fails",
            kind="dead_letters",
            endpoint=self.endpoint,
            state="firing",
            key=word,
            about=word,
            text=f"{word} gave up",
            since=now,
            seen_at=now,
        )
        times = dict.fromkeys(("first_seen_at", "last_seen_at", "learns_since", "learned_at"), now)
        self.shape = Shape(endpoint=self.endpoint, event_type=f"{word}.paid", **times)
        for payload in ({"of": 1}, {"of": word, f"{word}_field": 1}):
            learn(self.shape, fields_of(payload), at=now, event=self.event.pk)
        self.shape.save()
        self.awaited = AwaitedSecret.objects.start(self.endpoint, by=word, now=now)
        self.more: list[Model] = []

    def add_more(self, *, member: User) -> None:
        """Add rows in the states that some orders take, and views that ``member`` has saved."""
        now = timezone.now()
        waits, delivered = (
            make_endpoint(slug=f"{self.word}-{name}", provider="asana", group=self.group)
            for name in ("waits", "delivered")
        )
        deliver_a_secret(delivered)
        Secret.objects.filter(pk=self.secret.pk).update(created_at=now - timedelta(days=90))
        Secret.objects.create(endpoint=self.endpoint, value=f"{self.word}-next", label="next", last_used_at=now)
        code = make_endpoint(slug=f"{self.word}-code", provider="github", group=self.group)
        github = Connection.objects.create(
            name=f"{self.word}-github", base_url="https://api.github.com", group=self.group
        )
        refused = signed(signature(BODY, f"{self.word}-key"))
        self.more = [
            waits,
            delivered,
            code,
            github,
            Backfill.objects.create(endpoint=code, connection=github, interval_minutes=30),
            make_route(self.endpoint, name=f"{self.word} unserved"),
            make_route(self.endpoint, name=f"{self.word} off", enabled=False),
            make_event(self.endpoint, event_type=f"{self.word}.alone"),
            Rejection.objects.create(
                endpoint=self.endpoint, reason="signature_mismatch", received_at=now, source="192.0.2.1", **refused
            ),
            Connection.objects.create(
                name=f"{self.word}-spare", base_url=f"https://{self.word}.example.com", group=self.group
            ),
            *(
                SavedView.objects.create(
                    owner=member, list=name, name=f"{self.word} view", filters=f"q={self.word}", created_at=now
                )
                for name in ("delivery", "event", "rejection")
            ),
        ]

    def rows(self) -> list[Model]:
        """Return the rows that have pages or addresses of their own."""
        facts = [self.event, self.delivery, self.pending, self.replay, self.rejection, self.entry]
        facts += [self.rule, self.alert, self.shape]
        set_up = [self.group, self.endpoint, self.route, self.backfill, self.run, self.connection, self.schedule]
        return [*set_up, *facts, *self.more]

    def state(self) -> list[dict[str, Any]]:
        """Return all columns of all rows, to be compared."""
        kept = [*self.rows(), self.secret, self.variant, self.count, self.awaited]
        found = [type(row)._base_manager.filter(pk=row.pk).values().get() for row in kept]
        found += [{"secrets": Secret.objects.filter(endpoint=self.endpoint).count()}]
        return [*found, {"endpoints": Endpoint.objects.filter(group=self.group).count()}]


def make_worker() -> Worker:
    return Worker.objects.create(name="host:1", started_at=timezone.now(), beat_at=timezone.now())
