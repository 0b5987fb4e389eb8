"""Whether this hub answers where its senders look for it: asked only by `manage.py doctor --reach`."""

from __future__ import annotations

import uuid
from datetime import datetime

import httpx
from django.conf import settings

from deliveries.doctor.symptoms import Finding, problem, warning
from integrations.connectors import http
from integrations.connectors.egress import EgressRefused
from integrations.errors import GiveUp

_SECONDS = 10.0
_PATH = "/health/live"
_ID = "X-Request-ID"


def address_answers(_now: datetime) -> Finding:
    """Ask ``HUB_BASE_URL`` for a sign of life, as any call to the outside: only public addresses, and no redirects."""
    address = settings.HUB_BASE_URL
    marked = uuid.uuid4().hex
    try:
        with http.guarded_client(_SECONDS) as client:
            reply = http.call(client, "GET", f"{address.rstrip('/')}{_PATH}", headers=httpx.Headers({_ID: marked}))
    except EgressRefused as exc:
        mend = "Ask it from outside, or let the hub call it: HUB_EGRESS_ALLOW."
        return address, [warning(f"HUB_BASE_URL was not asked: {exc}.", mend)]
    except (http.CallFailed, GiveUp) as exc:
        mend = (
            "Look at DNS, firewall, proxy and certificate; where a network does not lead back in, ask it from outside."
        )
        return address, [problem(f"HUB_BASE_URL does not answer: {exc}.", mend)]
    if 300 <= reply.status < 400:
        text = f"HUB_BASE_URL answers {reply.status}, a redirect: most providers do not follow it."
        return address, [problem(text, "Set HUB_BASE_URL to the address it leads to, or take the redirect away.")]
    if reply.headers.get(_ID) != marked:
        text = f"Something else than a hub answers at HUB_BASE_URL ({reply.status}), or a proxy changes headers."
        return address, [problem(text, "Let the proxy pass everything under this name on to HUB_BIND and HUB_PORT.")]
    if reply.status != 200:
        text = f"The hub at HUB_BASE_URL answers {reply.status} to {_PATH}."
        return address, [problem(text, "Look into the log of the web server for this request.")]
    return f"{address} answered in {1000 * reply.seconds:.0f} ms", ()
