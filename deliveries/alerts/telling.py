"""Telling what has begun, what is over and what still lasts: one message for all of it, and not too many an hour.

A message is an event of the endpoint `hub-alerts`; its routes are the channels. So each is retried, on record, and can
be replayed, as everything else that the hub does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from deliveries.alerts.channels import ENDPOINT, hub_alerts
from deliveries.models import Alert, AlertClock, AlertRule, AlertState, Event
from deliveries.receiving.own_events import NotMade, OwnEvent, make
from integrations.models import Endpoint

logger = structlog.get_logger(__name__)

#: Alerts that one message names; the others are counted.
MOST_NAMED = 10
#: So many are looked at for one message.
_MOST = 500
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Message:
    """What is to be told at one time."""

    fired: Sequence[Alert] = ()
    recovered: Sequence[Alert] = ()
    reminders: Sequence[Alert] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.fired or self.recovered or self.reminders)

    @property
    def event_type(self) -> str:
        """What routes can choose by."""
        return "alerts.fired" if self.fired else "alerts.recovered" if self.recovered else "alerts.reminder"

    @property
    def subject(self) -> str:
        """The message in a line."""
        rows = [*self.fired, *self.reminders, *self.recovered]
        text = (
            _("Alert: %(alert)s") if self.fired else _("Still: %(alert)s") if self.reminders else _("Over: %(alert)s")
        )
        first, more = text % {"alert": rows[0]}, len(rows) - 1
        if more:
            first = _("%(first)s and %(more)s more") % {"first": first, "more": f"{more:,}"}
        return f"[hub] {first}".replace("\n", " ")[:200]

    def payload(self) -> dict[str, Any]:
        """Return the event's payload: the lists for programs, ``subject`` and ``text`` for people."""
        parts = {"fired": self.fired, "recovered": self.recovered, "reminders": self.reminders}
        lists = {name: [as_json(row) for row in rows[:MOST_NAMED]] for name, rows in parts.items()}
        counts = {name: len(rows) for name, rows in parts.items()}
        return {"subject": self.subject, "text": self._text(), "counts": counts, **lists, "hub": settings.HUB_BASE_URL}

    def _text(self) -> str:
        titles = ((_("Fired"), self.fired), (_("Still firing"), self.reminders), (_("Over"), self.recovered))
        blocks = [f"{title} ({len(rows):,}):\n\n" + _listed(rows) for title, rows in titles if rows]
        return "\n\n".join([*blocks, _all_alerts()])


def tell(*, now: datetime) -> Event | None:
    """Tell what is to be told; return the message, None if there was none. Raises Django's database errors.

    Without a channel nothing is told, and all of it is as soon as there is one.
    """
    endpoint = hub_alerts()
    if endpoint is None or not endpoint.routes.enabled().exists():
        return None
    message = _due(now)
    if not message:
        return None
    try:
        with transaction.atomic():
            return _send(endpoint, message, now=now)
    except NotMade as exc:
        logger.warning("alerts.not_told", reason=str(exc))
        return None


def test(rule: AlertRule, *, now: datetime) -> Event:
    """Send a message that only says that it comes; raises `NotMade`, also where there is no channel."""
    endpoint = hub_alerts()
    if endpoint is None or not endpoint.routes.enabled().exists():
        raise NotMade(_("No channel is set: make a route of the endpoint %(endpoint)s.") % {"endpoint": ENDPOINT})
    alert = Alert(rule=rule, rule_name=rule.name, kind=rule.kind, about="test", since=now, state=AlertState.FIRING)
    alert.text = _("This is a test: nothing is wrong. What this rule tells comes in the same way.")
    subject = _("Test: %(rule)s") % {"rule": rule.name}
    payload = {**Message(fired=[alert]).payload(), "subject": f"[hub] {subject}"[:200], "test": True}
    with transaction.atomic():
        return make(endpoint, _own_event("alerts.test", payload), now=now)


def as_json(row: Alert) -> dict[str, Any]:
    """Return ``row`` as messages have it."""
    return {
        "id": str(row.pk),
        "rule": row.rule_name,
        "kind": row.kind,
        "about": row.about,
        "text": row.text,
        "next_step": row.next_step,
        "since": row.since.isoformat(),
        "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
        "url": settings.HUB_BASE_URL + reverse("admin:deliveries_alert_change", args=[row.pk]),
        "runbook": runbook(row.kind),
    }


def runbook(kind: str) -> str:
    """Return where it is written what to do: an address below ``HUB_DOCS_URL``, else the file in the sources."""
    path = f"runbooks/{kind.replace('_', '-')}"
    return f"{settings.HUB_DOCS_URL}/{path}.html" if settings.HUB_DOCS_URL else f"docs/{path}.md"


def _due(now: datetime) -> Message:
    firing = list(Alert.objects.firing().select_related("rule").order_by("fired_at", "pk")[:_MOST])
    ended = Alert.objects.filter(state=AlertState.RESOLVED, ended_told=False).select_related("rule")
    over = list(ended.order_by("resolved_at", "pk")[:_MOST])
    loud = [row for row in firing if not _is_quiet(row, now)]
    return Message(
        fired=[row for row in loud if row.told_at is None],
        recovered=[row for row in over if not _is_quiet(row, now)],
        reminders=[row for row in loud if _wants_reminder(row, now)],
    )


def _is_quiet(row: Alert, now: datetime) -> bool:
    return row.rule is not None and row.rule.is_quiet(now)


def _wants_reminder(row: Alert, now: datetime) -> bool:
    hours = row.rule.remind_hours if row.rule is not None else 0
    return bool(hours) and row.told_at is not None and now - row.told_at >= timedelta(hours=hours)


def _send(endpoint: Endpoint, message: Message, *, now: datetime) -> Event | None:
    """Make the event, within what may go out in an hour; beyond that, once, only that more is held back."""
    clock = AlertClock.objects.select_for_update().get(pk=1)
    recent = [text for text in clock.sent_at if now - _HOUR < datetime.fromisoformat(text) <= now]
    if len(recent) >= settings.HUB_ALERT_MESSAGES_PER_HOUR:
        if clock.holding_back:
            return None
        clock.holding_back = True
        clock.save(update_fields=["holding_back"])
        logger.warning("alerts.held_back", limit=settings.HUB_ALERT_MESSAGES_PER_HOUR)
        return _made(endpoint, _own_event("alerts.held_back", _held_back(len(recent))), now=now)
    event = _made(endpoint, _own_event(message.event_type, message.payload()), now=now)
    clock.sent_at, clock.holding_back = [*recent, now.isoformat()], False
    clock.save(update_fields=["sent_at", "holding_back"])
    told = [row.pk for row in (*message.fired, *message.reminders)]
    Alert.objects.filter(pk__in=told).update(told_at=now)
    Alert.objects.filter(pk__in=[row.pk for row in message.recovered]).update(ended_told=True)
    return event


def _made(endpoint: Endpoint, wanted: OwnEvent, *, now: datetime) -> Event:
    """Make the event. Why it cannot be made stands in the log, which is English."""
    with translation.override(None):
        return make(endpoint, wanted, now=now)


def _held_back(sent: int) -> dict[str, Any]:
    text = _("%(sent)s messages went out within an hour. More alerts are held back, and come together later.")
    text = text % {"sent": f"{sent:,}"} + f"\n\n{_all_alerts()}"
    subject = _("More alerts are held back")
    return {"subject": f"[hub] {subject}", "text": text, "hub": settings.HUB_BASE_URL}


def _all_alerts() -> str:
    url: str = settings.HUB_BASE_URL + reverse("admin:deliveries_alert_changelist")
    return _("All alerts: %(url)s") % {"url": url}


def _own_event(event_type: str, payload: dict[str, Any]) -> OwnEvent:
    name = uuid4().hex
    return OwnEvent(event_type, payload, f"alerts:{name}", f"alerts-{name}")


def _listed(rows: Sequence[Alert]) -> str:
    texts = [_in_words(row) for row in rows[:MOST_NAMED]]
    if len(rows) > MOST_NAMED:
        texts.append(_("… and %(more)s more.") % {"more": f"{len(rows) - MOST_NAMED:,}"})
    return "\n\n".join(texts)


def _in_words(row: Alert) -> str:
    shown = as_json(row)
    since = f"{row.since:%Y-%m-%d %H:%M}"
    if row.resolved_at:
        span = _("since %(since)s UTC, over at %(over)s UTC") % {"since": since, "over": f"{row.resolved_at:%H:%M}"}
        return f"{row}\n{span}\n{shown['url']}"
    span = _("since %(since)s UTC") % {"since": since}
    what_to_do = _("What to do: %(runbook)s") % {"runbook": shown["runbook"]}
    lines = [str(row), row.text, row.next_step, span, str(shown["url"]), what_to_do]
    return "\n".join(line for line in lines if line)
