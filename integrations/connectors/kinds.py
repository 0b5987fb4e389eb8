"""What a connection can lead to. A connector adds its kind here, next to the handlers that use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import httpx
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from integrations.connectors.addresses import origin, validate_base_url
from integrations.errors import ReferenceMissing
from integrations.references import resolve
from integrations.registry import Registry, load_handlers

if TYPE_CHECKING:
    from integrations.connectors.answers import Answer
    from integrations.connectors.client import HttpClient
    from integrations.connectors.system import System

_HTTP_PROOFS = (
    "none",
    "basic",
    "bearer",
    "header",
    "query",
    "hmac",
    "standard_webhooks",
    "oauth2_client_credentials",
    "oauth2_refresh_token",
    "address",
    "aws",
)


class Described(Protocol):
    """What of a connection's fields depends on its kind."""

    base_url: str
    auth: str
    auth_settings: Any
    proxy: str
    credentials: Mapping[str, Any]


@dataclass(frozen=True)
class ConnectionKind:
    """One kind of outside system: its ``name`` for people, and what a new connection of it starts from.

    ``proofs`` are those that it takes, ``form`` raises `ValidationError` for a base URL of another form. Without
    ``is_http`` it is not `Context.http` that calls it, and nothing goes through a proxy. "Test this connection" calls
    ``ask`` with the client of an HTTP kind and its test path, ``probe`` with another kind's `System`. ``aws_service``
    is what signatures of AWS are made for, "" where the connection has to say it.
    """

    name: str
    base_url: str = ""
    auth: str = "none"
    test_path: str = ""
    proofs: tuple[str, ...] = _HTTP_PROOFS
    form: Callable[[str], None] = validate_base_url
    is_http: bool = True
    ask: Callable[[HttpClient, str], Answer] | None = None
    probe: Callable[[System, str], str] | None = None
    aws_service: str = ""

    def check(self, connection: Described) -> None:
        """Raise `ValidationError`, by field, for what this kind does not take; no text quotes a credential."""
        try:
            self.form(connection.base_url)
        except ValidationError as exc:
            raise ValidationError({"base_url": exc.messages}) from exc
        if connection.auth not in self.proofs:
            raise ValidationError(
                {"auth": gettext("%(kind)s takes %(proofs)s.") % {"kind": self.name, "proofs": ", ".join(self.proofs)}}
            )
        if connection.proxy and not self.is_http:
            raise ValidationError({"proxy": gettext("%(kind)s is not reached through a proxy.") % {"kind": self.name}})
        if (
            connection.auth == "aws"
            and self.is_http
            and not (self.aws_service or connection.auth_settings.get("service"))
        ):
            raise ValidationError(
                {"auth_settings": gettext("service is missing, such as execute-api: a signature names it.")}
            )
        if connection.auth == "address":
            _check_address(connection.base_url, connection.credentials["url"])


def _load() -> None:
    for name in ("object_kinds", "redis_stream", "kafka", "sqs"):
        import_module(f"integrations.connectors.{name}")
    load_handlers()


kinds: Registry[ConnectionKind] = Registry("connection kind", _load)
kinds.register("http")(ConnectionKind("HTTP API"))
kinds.register("slack_webhook")(
    ConnectionKind("Slack incoming webhook", "https://hooks.slack.com", "address", proofs=("address",))
)


def kind_choices() -> list[tuple[str, str]]:
    """Return (key, name) of every kind, for a model's field."""
    return [(key, kinds[key].name) for key in kinds]


def is_http(kind: str) -> bool:
    """Return whether connections of ``kind`` are called over HTTP; one that is gone is taken for such."""
    found = kinds.get(kind)
    return found is None or found.is_http


def validate_kind(value: str) -> None:
    """Refuse a kind that no installed app registers."""
    if value not in kinds:
        raise ValidationError(gettext("There is no connection kind %(value)s.") % {"value": repr(value)})


def validate_address(value: str) -> None:
    """Refuse what is no base URL of any kind; `ConnectionKind.check` looks at the connection's own."""
    for key in kinds:
        with suppress(ValidationError):
            kinds[key].form(value)
            return
    validate_base_url(value)


def _check_address(base_url: str, value: str) -> None:
    try:
        url = resolve(value)
        validate_base_url(url)
        if origin(url) != origin(base_url) or httpx.URL(base_url).path.strip("/"):
            raise ReferenceMissing("of another host")
    except (ValidationError, ReferenceMissing):
        text = gettext("url has to be the webhook's whole address, on the host that the base URL names without a path.")
        raise ValidationError({"credentials": text}) from None
