"""Two ways to try an endpoint: a signed ``curl`` line, and a test event through the real receiving path."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from deliveries import display
from deliveries.receiving import samples
from integrations.models import Endpoint

if TYPE_CHECKING:
    from deliveries.audit import Person


@dataclass(frozen=True)
class CurlLine:
    """A shell line that sends one event, or, with ``text`` "", why there is none."""

    text: str = ""
    note: str = ""


def curl_line(endpoint: Endpoint, *, now: datetime) -> CurlLine:
    """Return the line for ``endpoint``; opening a page makes no keys, so some endpoints have none yet."""
    if endpoint.url is None or endpoint.retired_at is not None:
        return CurlLine()
    if _would_make_keys(endpoint, now):
        return CurlLine(
            note=gettext("The first test event makes a key pair to sign with; the line for a shell comes then.")
        )
    try:
        text = samples.curl_line(endpoint)
    except samples.CannotSign as exc:
        return CurlLine(note=gettext("No line for a shell: %(exc)s") % {"exc": exc})
    if not _needs_key(endpoint):
        return CurlLine(text)
    return CurlLine(
        text, gettext("It was signed when this page was made; where the time is signed, it is good for minutes.")
    )


def _needs_key(endpoint: Endpoint) -> bool:
    return endpoint.preset.scheme_for(endpoint.settings).needs_key


def _would_make_keys(endpoint: Endpoint, now: datetime) -> bool:
    try:
        scheme = endpoint.preset.scheme_for(endpoint.settings)
    except (KeyError, ValueError):
        return False
    if not scheme.needs_key or scheme.symmetric:
        return False
    return not any(secret.signing_key for secret in endpoint.secrets.live(now))


def send_test(
    endpoint: Endpoint, *, by: Person, event_type: str = "", payload: Any = None
) -> tuple[int, str | SafeString]:
    """Send a signed sample to ``endpoint``, as ``by`` wants it; return a message level and what the endpoint answered.

    ``event_type`` and ``payload`` take the place of the sample's own.
    """
    try:
        status, answer = samples.send_sample(endpoint, event_type=event_type, payload=payload, by=by)
    except samples.CannotSign as exc:
        return messages.ERROR, gettext("No test event was sent: %(exc)s") % {"exc": exc}
    if status // 100 != 2:
        return messages.ERROR, gettext("The endpoint answered %(status)s: %(answer)s") % {
            "status": status,
            "answer": answer,
        }
    event = _event_of(answer)
    if event is None:
        return messages.SUCCESS, gettext("The endpoint answered %(status)s.") % {"status": status}
    link = display.link("deliveries_event_change", event, gettext("see the event"))
    return messages.SUCCESS, format_html(gettext("The endpoint answered {} ({}): {}."), status, answer["status"], link)


def back_to(request: HttpRequest, pk: UUID) -> HttpResponseRedirect:
    """Go back to the page of the admin that the order names as ``back``; else to the endpoint's own."""
    return HttpResponseRedirect(named_back(request) or reverse("admin:integrations_endpoint_change", args=[pk]))


def named_back(request: HttpRequest) -> str:
    """Return the page of the admin that an order names as ``back``; "" if it names none, or a place elsewhere."""
    back = request.POST.get("back", "")
    is_ours = back.startswith(reverse("admin:index")) and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return back if is_ours else ""


def _event_of(answer: Any) -> UUID | None:
    # A provider's own form of answer names no event.
    try:
        return UUID(answer["event"])
    except (KeyError, TypeError, ValueError):
        return None
