"""``manage.py send``: send an endpoint a test event over HTTP, signed as its provider signs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import httpx
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deliveries.management.command import HubCommand
from deliveries.receiving.endpoints import FRESH_SECONDS
from deliveries.receiving.samples import CannotSign, signed_sample, signing_secret
from integrations.contracts import InboundRequest
from integrations.models import Endpoint

_SECONDS = 30


class Command(HubCommand):
    """Send a signed test event, and fail unless it is answered with a 2xx."""

    help = "Sends a test event to an endpoint, signed as its provider signs."

    examples = (
        ("the provider's own example", "send demo"),
        ("a body of yours", "send gh --type push --file push.json"),
        ("what another program makes", "send orders --file - < order.json"),
        ("to a hub that listens elsewhere", "send gh --url http://127.0.0.1:8001/hooks/gh"),
    )
    exit_codes = "0 the answer was a 2xx; 1 it was another, or there was none"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the endpoint's slug, and what to send where."""
        parser.add_argument("endpoint", help="the endpoint's slug")
        parser.add_argument("--type", default="", help="the event type")
        parser.add_argument("--file", help="a file with the body, or - for standard input; else an example is sent")
        parser.add_argument("--url", help="where to send it; else to the endpoint's own URL")
        parser.add_argument("--json", action="store_true", help="print one JSON object: status, answer, duration_ms")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, and print the status and the answer in one line; fail unless it is a 2xx."""
        row = Endpoint.objects.live().filter(slug=options["endpoint"]).first()
        if row is None:
            raise CommandError(f"There is no endpoint {options['endpoint']!r}.")
        try:
            request = _signed(row, event_type=options["type"], body=_body(options["file"]))
        except (CannotSign, OSError) as exc:
            raise CommandError(str(exc)) from exc
        response = _post(request, url=options["url"])
        if options["json"]:
            self.write_json(_as_json(response))
        line = f"{response.status_code} {' '.join(response.text.split())[:500]}".rstrip()
        if not response.is_success:
            raise CommandError(line)
        if not options["json"]:
            self.stdout.write(line)


def _as_json(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = response.text
    duration_ms = round(response.elapsed.total_seconds() * 1000, 1)
    return {"status": response.status_code, "answer": answer, "duration_ms": duration_ms}


def _signed(endpoint: Endpoint, *, event_type: str, body: bytes | None) -> InboundRequest:
    scheme = endpoint.preset.scheme_for(endpoint.settings) if endpoint.url else None
    if scheme is not None and not scheme.symmetric and signing_secret(endpoint, now=timezone.now(), by=None)[1]:
        time.sleep(FRESH_SECONDS)  # until every web process knows the key pair that was made just now
    return signed_sample(endpoint, event_type=event_type, body=body)


def _body(path: str | None) -> bytes | None:
    if path is None:
        return None
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def _post(request: InboundRequest, *, url: str | None) -> httpx.Response:
    target = request.url
    if url is not None and request.query_string:
        target = f"{url}{'&' if '?' in url else '?'}{request.query_string}"
    elif url is not None:
        target = url
    try:
        # No proxy from the environment, no redirects: the event goes where it was sent.
        with httpx.Client(trust_env=False, timeout=_SECONDS) as client:
            return client.post(target, content=request.body, headers=dict(request.headers))
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise CommandError(f"{target.partition('?')[0]} cannot be reached: {exc}") from exc
