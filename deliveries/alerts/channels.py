"""Where messages go: each enabled route of the endpoint `hub-alerts` is a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from deliveries import audit
from integrations.errors import HubError
from integrations.handlers import route_defaults
from integrations.models import Endpoint, EndpointState, Route

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ENDPOINT = "hub-alerts"
_PROVIDER = "internal"
#: A message about a full queue must not wait at its end.
_FIRST = 9


class NoPlace(HubError):
    """Another endpoint has the slug that messages need; the message says so, for the operator."""


def hub_alerts() -> Endpoint | None:
    """Return the endpoint of the messages; None if it is not there, or switched off.

    One that is in a group is not it: messages tell of all endpoints, and its members might have made it.
    """
    live = Endpoint.objects.live().filter(slug=ENDPOINT, provider=_PROVIDER, group=None)
    return live.exclude(state=EndpointState.DISABLED).first()


def mail(recipients: list[str]) -> Route:
    """Return a channel to mail addresses, not saved."""
    config = {"to": recipients, "subject": "{{ payload.subject }}", "text": "{{ payload.text }}"}
    return _channel(f"E-mail to {', '.join(recipients)}", "email.send", config)


def slack(connection: str, channel: str) -> Route:
    """Return a channel into one of Slack's, by a connection with a bot's token; not saved."""
    config = {"connection": connection, "channel": channel, "text": "*{{ payload.subject }}*\n{{ payload.text }}"}
    return _channel(f"Slack {channel}", "slack.message", config)


def webhook(connection: str, path: str) -> Route:
    """Return a channel that posts the message as JSON, signed as the connection says; not saved."""
    config = {"connection": connection, **({"path": path} if path else {})}
    return _channel(f"Webhook {connection}", "http.forward", config)


@transaction.atomic
def add(route: Route, *, by: User) -> None:
    """Save the channel, and the endpoint of the messages if it is the first; raises `NoPlace`, `ValidationError`."""
    route.endpoint = _ensured(by)
    route.full_clean()
    route.save(force_insert=True)
    audit.record(audit.Action.MADE, route, by=by, message="Channel of alerts.", change=_made(route))


def _channel(name: str, handler: str, config: dict[str, Any]) -> Route:
    return Route(name=name[:200], handler=handler, config=config, priority=_FIRST, **route_defaults(handler))


def _ensured(by: User) -> Endpoint:
    row = Endpoint.objects.live().filter(slug=ENDPOINT).first()
    if row is None:
        try:
            with transaction.atomic():
                row = Endpoint.objects.create(
                    slug=ENDPOINT, name="Alerts of the hub", provider=_PROVIDER, priority=_FIRST
                )
                audit.record(audit.Action.MADE, row, by=by, message="For channels of alerts.", change=_made(row))
        except IntegrityError:  # somebody else was quicker
            row = Endpoint.objects.live().get(slug=ENDPOINT)
    if row.provider != _PROVIDER or row.group_id is not None:
        raise NoPlace(
            gettext(
                "The endpoint %(endpoint)s has to be of the provider %(provider)s and in no group; rename that one."
            )
            % {"endpoint": ENDPOINT, "provider": _PROVIDER}
        )
    return row


def _made(row: Endpoint | Route) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    return audit.difference(row, None, audit.snapshot(row))
