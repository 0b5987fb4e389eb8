"""What providers say that they sent: a module each, registered as presets are. See docs/decisions/0012-backfill.md."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, Protocol

import httpx

from integrations.errors import HubError
from integrations.registry import Registry

Settings = Mapping[str, Any]

_SERVER_ERROR = 500
_TIMED_OUT = 408
_CLIENT_ERROR = 400


class NotAnswered(HubError):
    """The provider could not be asked now: try again later. The message holds no credential and no answer's text."""


class AccessRefused(NotAnswered):
    """The provider refuses the credentials, or they do not reach so far: an operator has to mend it."""


class TooManyRequests(NotAnswered):
    """The provider asks for a pause; its rate limit is used up."""


class NotThere(HubError):
    """The provider refuses this one question: what it is about is gone, or the settings name what there is not."""


class Api(Protocol):
    """What asks a provider: `httpx.Client` with a base URL and credentials, or what behaves like it."""

    def get(self, url: str, *, params: Mapping[str, str]) -> httpx.Response:
        """Return the answer to one GET, relative to the base URL."""


@dataclass(frozen=True)
class Original:
    """One request as the provider tells of it: not byte for byte as it was sent, so without the proof."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Sent:
    """One event that the provider says it sent; ``original`` asks for the request, which may be another call.

    Where the provider does not say what it sent, but how things are, it is ``resource`` as it is in ``state``, made
    anew (``is_new``) or changed; ``event_id`` is then the hub's.
    """

    event_id: str
    event_type: str
    sent_at: datetime
    original: Callable[[], Original] = field(repr=False)
    resource: str = ""
    state: datetime | None = None
    is_new: bool = False


@dataclass(frozen=True)
class Page:
    """Part of an answer; ``cursor`` is where the next begins, "" after the last."""

    sent: Sequence[Sent]
    cursor: str


class Ask(Protocol):
    """How one provider is asked."""

    def __call__(self, api: Api, settings: Settings, /, *, since: datetime, until: datetime, cursor: str) -> Page:
        """Return a page of what was sent from ``since`` to ``until``, both included; the first for ``cursor`` "".

        Raises `NotAnswered` and `NotThere`.
        """


class States(Protocol):
    """What an event tells of, from its type and payload."""

    def __call__(self, event_type: str, payload: Any, /) -> tuple[str, datetime | None] | None:
        """Return the resource and its state, ("", None) for none that is asked about, (resource, None) for every state.

        None: it is about such a resource and does not say which.
        """


@dataclass(frozen=True)
class History:
    """How to ask one provider what it sent."""

    documentation_url: str
    #: Where the provider's own API is; an installation of its own (GitHub Enterprise Server) has another. "": every
    #: account has its own, as ``base_url_help`` says.
    base_url: str
    #: JSON Schema of what has to be known to ask (which repository, which hook).
    settings_schema: Mapping[str, Any]
    #: How far back the provider knows.
    kept: timedelta
    ask: Ask
    base_url_help: str = ""
    #: What was sent so lately may still be on its way, and is not asked about.
    settled: timedelta = timedelta(minutes=1)
    #: The header in which the token is shown, and what stands before it.
    header: str = "Authorization"
    prefix: str = "Bearer "
    #: None: events are known by the provider's id. Else by what they tell of.
    states: States | None = None


def answered(api: Api, path: str, params: Mapping[str, str] | None = None) -> httpx.Response:
    """Return the answer with status 2xx to one GET; raises `NotAnswered` and `NotThere`, which quote nothing of it."""
    try:
        response = api.get(path, params=params or {})
    except httpx.HTTPError as exc:
        # Not chained: the text of the error can hold the address, and with it a credential.
        raise NotAnswered(f"the provider cannot be reached ({type(exc).__name__})") from None
    status = response.status_code
    if status // 100 == 2:
        return response
    # GitHub answers 403, too, where a rate limit is used up: the primary one says so, the secondary says when to come.
    is_pause = response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers
    if status == httpx.codes.TOO_MANY_REQUESTS or (status == httpx.codes.FORBIDDEN and is_pause):
        raise TooManyRequests(f"the provider asks for a pause (status {status})")
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise AccessRefused(f"the provider refuses the credentials (status {status})")
    if status >= _SERVER_ERROR or status == _TIMED_OUT or status < _CLIENT_ERROR:
        raise NotAnswered(f"the provider answered with status {status}")
    raise NotThere(f"the provider refuses the question (status {status})")


def json_of(response: httpx.Response) -> Any:
    """Return the JSON of an answer; raises `NotAnswered` for what is none."""
    try:
        return response.json()
    except ValueError:
        raise NotAnswered("the provider's answer is not JSON") from None


def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


#: By the key of the provider whose endpoints can be asked about.
histories: Registry[History] = Registry("history", _load)
