"""Handlers: Python functions that act on events. This module is what a handler's author imports.

    from integrations.handlers import Context, InboundEvent, handler

    @handler("crm.upsert_contact", max_attempts=6, timeout=timedelta(seconds=20))
    def upsert_contact(event: InboundEvent, context: Context) -> None: ...

They are found in the ``handlers`` module of every installed app.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from typing import Any, TypeVar

from integrations.contracts import Context, InboundEvent, Json
from integrations.errors import GiveUp, RetryLater
from integrations.registry import Registry, load_handlers
from integrations.retry import RetryPolicy

__all__ = [
    "Context",
    "GiveUp",
    "InboundEvent",
    "RetryLater",
    "handler",
    "handler_choices",
    "handlers",
    "route_defaults",
]

HandlerFunction = Callable[[InboundEvent, Context], Any]
Preview = Callable[[InboundEvent, Mapping[str, Any]], Json]
F = TypeVar("F", bound=Callable[[InboundEvent, Context], Json] | Callable[[InboundEvent, Context], Awaitable[Json]])

ANY_CONFIG: dict[str, Any] = {"type": "object"}


@dataclass(frozen=True)
class Part:
    """A handler that a config runs as a part of it, with a config of its own; ``place`` is where that stands."""

    place: str
    handler: str
    config: Any


@dataclass(frozen=True)
class Handler:
    """A registered handler: the function, its docstring's first line, and what its routes start from.

    ``max_attempts`` and ``timeout`` are the defaults of a new route; None leaves the hub's own. ``preview`` returns, as
    JSON, what it would do with an event and a config, and does nothing; it raises `GiveUp` where it would. ``parts``
    returns the handlers that a config runs, whatever the config looks like; ``check`` returns what is wrong with a
    config that fits its schema, as its parts do. One with ``dry_run`` may be run in a dry run, where all that its
    context leads to is blocked: it says that it does nothing outside past its context. A mapping has the answers to
    its calls: ``{"POST chat.postMessage": {"ok": True}}``, ``*`` for anything; what is not in it is answered ``{}``.
    """

    key: str
    run: HandlerFunction
    summary: str
    config_schema: Mapping[str, Any]
    max_attempts: int | None = None
    timeout: timedelta | None = None
    preview: Preview | None = None
    parts: Callable[[Any], list[Part]] | None = None
    check: Callable[[Any], list[str]] | None = None
    dry_run: bool | Mapping[str, Json] = False


def _load() -> None:
    for name in (
        "log",
        "http",
        "http_request",
        "emit",
        "mail",
        "slack",
        "crm",
        "airbyte",
        "table",
        "objects",
        "queue",
        "flow",
    ):
        import_module(f"{__name__}.{name}")
    load_handlers()


handlers: Registry[Handler] = Registry("handler", _load)


def handler(
    key: str,
    *,
    max_attempts: int | None = None,
    timeout: timedelta | None = None,
    config_schema: Mapping[str, Any] | None = None,
    preview: Preview | None = None,
    parts: Callable[[Any], list[Part]] | None = None,
    check: Callable[[Any], list[str]] | None = None,
    dry_run: bool | Mapping[str, Json] = False,
) -> Callable[[F], F]:
    """Register a function under a dotted ``key``; a key taken twice stops the start-up.

    ``config_schema`` is a JSON Schema of the route's config; without it any object is taken. ``preview`` is shown on
    the route's page: what the handler would do with an event (`Handler.preview`). What the function returns is its
    output, which later steps of a flow see. ``parts`` and ``check`` are for a handler that runs others (`Handler`).
    ``dry_run`` lets a dry run call the function with its context blocked (`Handler.dry_run`).
    """

    def register(run: F) -> F:
        summary = (inspect.getdoc(run) or "").partition("\n")[0].replace("``", "")  # people read it on pages
        schema = config_schema or ANY_CONFIG
        entry = Handler(key, run, summary, schema, max_attempts, timeout, preview, parts, check, dry_run)
        handlers.register(key)(entry)
        return run

    return register


def handler_choices() -> list[tuple[str, str]]:
    """Return (key, key) of every handler, for forms."""
    return [(key, key) for key in handlers]


def route_defaults(key: str) -> dict[str, Any]:
    """Return what a new route to handler ``key`` starts from: ``retry`` and ``timeout_seconds``, where it names them.

    For forms and the API, which put what the operator says on top. {} for a handler without wishes, or an unknown one.
    """
    entry = handlers.get(key)
    defaults: dict[str, Any] = {}
    if entry and entry.max_attempts is not None:
        defaults["retry"] = replace(RetryPolicy(), max_attempts=entry.max_attempts).as_json()
    if entry and entry.timeout is not None:
        defaults["timeout_seconds"] = entry.timeout.total_seconds()
    return defaults
