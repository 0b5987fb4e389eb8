"""How rows look on a page: labels, moments, bodies. Everything that came from outside is escaped here."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_noop
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import JsonLexer

from deliveries.models import (
    Delivery,
    DeliveryStatus,
    Event,
    EventVariant,
    Outcome,
    Rejection,
    Replay,
    ReplayState,
    Verdict,
)
from deliveries.models.event import EDITED_PAYLOAD
from deliveries.models.sealing import storable
from deliveries.why import Part, Reason
from integrations.admin.moments import shown_moment
from integrations.models import EndpointState

#: What is shown of a body; the rest is in the download.
SHOWN_CHARACTERS = 50_000
#: Larger bodies are not decoded for a page.
DECODED_BYTES = 512 * 1024
#: Stands where a body would, until it is revealed.
HIDDEN = gettext_noop("Hidden: what this endpoint receives is marked as sensitive.")

KINDS: dict[str, str] = {
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.HELD: "warning",
    DeliveryStatus.RUNNING: "info",
    DeliveryStatus.WAITING: "warning",
    DeliveryStatus.SUCCEEDED: "success",
    DeliveryStatus.DEAD: "danger",
    DeliveryStatus.DISCARDED: "neutral",
    Outcome.FAILED: "danger",
    Outcome.TIMED_OUT: "danger",
    Outcome.LOST: "warning",
    Verdict.VERIFIED: "success",
    Verdict.UNVERIFIED: "warning",
    Verdict.INTERNAL: "neutral",
    Verdict.BACKFILLED: "neutral",
    Verdict.REVERIFIED: "success",
    ReplayState.CANCELLED: "neutral",
    ReplayState.FINISHED: "success",
    EndpointState.ACTIVE: "success",
    EndpointState.PAUSED: "warning",
    EndpointState.DISABLED: "neutral",
}

#: What people read for them.
_STATES = {
    choice.value: choice.label for choices in (DeliveryStatus, Outcome, Verdict, ReplayState) for choice in choices
}


def label(text: object, kind: str = "neutral") -> SafeString:
    """Return ``text`` as a coloured label: neutral, info, success, warning or danger."""
    return format_html('<span class="hub-label hub-{}">{}</span>', kind, text)


def title(thing: object) -> object:
    """Return what stands for ``thing`` at the head of its page.

    A delivery is known by what came and where it goes, a rejection by its reason, without what joins the code's words,
    a replay by what it covers and when it was ordered, in the viewer's zone.
    """
    if isinstance(thing, Delivery):
        kind = thing.event.event_type or gettext("(no type)")
        return f"{kind} → {thing.route.name}"
    if isinstance(thing, Replay):
        return f"{thing.description}, {timezone.localtime(thing.created_at):%Y-%m-%d %H:%M}"
    return thing.reason.replace("_", " ") if isinstance(thing, Rejection) else thing


def state(value: str, text: str | None = None) -> SafeString:
    """Return the label of a status, outcome, verdict or endpoint state, in the colour it has everywhere."""
    return label(text or state_name(value), KINDS.get(value, "neutral"))


def state_name(value: str) -> str:
    """Return what people read for a status, outcome, verdict or endpoint state."""
    return str(_STATES.get(value) or value.replace("_", " "))


def moment(value: datetime | None) -> SafeString:
    """Return a point in time, to the second, in the viewer's time zone, with UTC on hover; a dash for None."""
    return shown_moment(value)


def length(value: timedelta | None) -> str:
    """Return a duration in the unit that fits: 12 ms, 3.4 s, 5 min 20 s, 3 h 10 min, 2 d 4 h."""
    if value is None:
        return "–"
    seconds = max(value.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def milliseconds(value: float | None) -> str:
    """Return a number of milliseconds as a duration, in the unit that fits; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.2g} ms" if value < 10 else length(timedelta(milliseconds=value))


def size(count: int) -> str:
    """Return a number of bytes in the unit that fits."""
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / (1024 * 1024):.1f} MiB"


def link(view: str, pk: object, text: object) -> SafeString:
    """Return a link to the admin page ``view`` of ``pk``."""
    return format_html('<a class="hub-link" href="{}">{}</a>', reverse(f"admin:{view}", args=[pk]), text)


_PAGES = {
    "delivery": "deliveries_delivery_change",
    "worker": "deliveries_worker_change",
    "endpoint": "integrations_endpoint_change",
    "route": "integrations_route_change",
}


def reason(value: Reason) -> SafeString:
    """Return why a delivery is not running, with links to what it names, and moments in the viewer's zone."""
    return format_html_join("", "{}", ((_part(part),) for part in value.parts))


def _part(part: Part) -> SafeString | str:
    if part.at is not None:
        return moment(part.at)
    return link(_PAGES[part.names], part.pk, part.text) if part.names else part.text


def code(value: Any) -> SafeString:
    """Return a JSON value, indented and coloured, cut at `SHOWN_CHARACTERS`."""
    return _highlighted(json.dumps(value, indent=2, ensure_ascii=False, default=str), JsonLexer(ensurenl=False))


def response(value: Any) -> SafeString:
    """Return what an outside system answered, as `code` does; a JSON body as what it says, instead of as one string."""
    body = value.get("body") if isinstance(value, dict) else None
    if isinstance(body, str) and len(body) <= SHOWN_CHARACTERS:
        with suppress(ValueError, RecursionError):
            value = {**value, "body": json.loads(body)}
    return code(value)


def log_lines(lines: list[dict[str, Any]]) -> SafeString:
    """Return an attempt's log, a line for each: its time in the viewer's zone, its message and its fields."""
    shown, left = [], SHOWN_CHARACTERS
    for line in lines:
        fields = line.get("fields", {}).items()
        tail = " ".join(f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in fields)
        text = storable(f"{line.get('message', '')}  {tail}".rstrip()[:left])
        shown.append((_clock(str(line.get("at", ""))), text))
        left -= len(text)
        if left <= 0:
            break
    return format_html_join("\n", "{}  {}", shown)


def _clock(at: str) -> SafeString | str:
    """Return the time of day that a log line has as ISO 8601; what is none, as it is."""
    try:
        return shown_moment(datetime.fromisoformat(at), "%H:%M:%S.%f")
    except ValueError:
        return at


@dataclass(frozen=True)
class ShownBody:
    """A body as a page shows it; ``note`` says what is left out, and why."""

    html: SafeString
    note: str = ""


def body(row: Event | Rejection | EventVariant, payload: Any = None, *, revealed: bool = False) -> ShownBody:
    """Return the body of ``row``: its decoded ``payload`` if there is one, else text, else the first bytes in hex.

    What is stored encrypted is shown as ``payload`` only, in which credentials are masked; what a sensitive endpoint
    received is shown if it is ``revealed``.
    """
    if row.hides_body and not revealed and row.body_bytes and row.raw_body is not None:
        return ShownBody(_plain(""), gettext(HIDDEN))
    if not row.body_bytes:
        return ShownBody(_plain(""), gettext("The body is empty."))
    if row.raw_body is None and isinstance(row, Event) and row.why_no_body:
        return ShownBody(
            _plain(""),
            gettext("%(why_no_body)s It had %(size)s.")
            % {"why_no_body": row.why_no_body, "size": size(row.body_bytes)},
        )
    if row.raw_body is None:
        return ShownBody(_plain(""), gettext("The body (%(size)s) was not kept.") % {"size": size(row.body_bytes)})
    if payload is not None:
        shown = code(payload)
        return ShownBody(shown, _cut_note(len(json.dumps(payload, indent=2, default=str))))
    if row.body_is_encrypted:
        return ShownBody(
            _plain(""), gettext("The body is stored encrypted and cannot be shown with its credentials masked.")
        )
    return _opaque(row.body)


def refused_body(row: Rejection, *, may_read: bool, revealed: bool = False) -> ShownBody:
    """Return the body of a refused request as text or hex, unmasked, or why it is not shown."""
    if not row.body_bytes or row.raw_body is None or (row.hides_body and not revealed):
        return body(row)
    if not may_read:
        return ShownBody(
            _plain(""),
            gettext(
                "What was refused may hold credentials that were meant for others: only who may change endpoints reads "
                "it."
            ),
        )
    try:
        return _opaque(row.body)
    except ImproperlyConfigured:
        return ShownBody(
            _plain(""), gettext("The body is stored encrypted, and its key is not in HUB_ENCRYPTION_KEYS.")
        )


def _opaque(raw: bytes) -> ShownBody:
    head = raw[: SHOWN_CHARACTERS * 4]
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.end < len(head) - 4 or len(raw) == len(head):
            return ShownBody(_plain(raw[:512].hex(" ", 2)), gettext("Not text: the first 512 bytes, in hexadecimal."))
        text = head[: exc.start].decode("utf-8")
    return ShownBody(_plain(text), _cut_note(len(text) if len(head) == len(raw) else len(raw)))


def _cut_note(characters: int) -> str:
    return (
        gettext("Only the first %(shown_characters)s characters are shown.")
        % {"shown_characters": f"{SHOWN_CHARACTERS:,}"}
        if characters > SHOWN_CHARACTERS
        else ""
    )


def _plain(text: str) -> SafeString:
    return mark_safe(escape(storable(text[:SHOWN_CHARACTERS])))  # noqa: S308 - escaped


def _highlighted(text: str, lexer: Any) -> SafeString:
    # Lone surrogates are legal in JSON and cannot be sent; the highlighter escapes the rest.
    shown = storable(text[:SHOWN_CHARACTERS])
    html: str = highlight(shown, lexer, HtmlFormatter(nowrap=True))
    return mark_safe(html)  # noqa: S308 - escaped by the formatter


def made_how(row: Event) -> str:
    """Return who made an event of another by hand, and how, to stand behind the link; "" if a handler did."""
    if not row.requested_by:
        return ""
    if EDITED_PAYLOAD in row.flags:
        text = gettext("by %(who)s, with an edited payload")
    else:
        text = gettext("by %(who)s, who accepted another body under its id")
    return " " + text % {"who": row.requested_by}
