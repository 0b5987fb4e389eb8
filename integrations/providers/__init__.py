"""Providers: presets as data, a module each. See docs/how-to/add-a-provider.md."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

from integrations import payloads
from integrations.contracts import InboundRequest, Sample
from integrations.providers.samples import plain_sample, put
from integrations.registry import Registry
from integrations.routing import compiled, search
from integrations.verification import Scheme
from integrations.verification.texts import first_header

Settings = Mapping[str, Any]

_EVERYBODYS_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


def settings_schema(properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON Schema of settings that have ``properties`` and no others.

    A property with ``"writeOnly": True`` is a credential: it is never shown after it was entered.
    """
    return {"type": "object", "additionalProperties": False, "properties": dict(properties or {})}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer in the provider's own form."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceNetworks:
    """The addresses from which a provider says that it sends: published at ``url``, copied on ``checked_on``.

    Never applied by itself: providers change them, and a list that is too old keeps genuine events out. The operator
    may copy them into an endpoint's allowed networks.
    """

    networks: Sequence[str]
    url: str
    checked_on: str


class Handshake(Protocol):
    """How a provider checks, before or between events, that the endpoint is its owner's."""

    @property
    def methods(self) -> frozenset[str]:
        """Methods besides POST that `unsigned` answers."""

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Answer a request that by its nature carries no proof (Meta's GET), or None if it is no handshake.

        Raises `VerificationFailed` if it is one and its token is wrong.
        """

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Answer a request that has been verified (Slack's url_verification), or None if it is an event."""


class AcceptedAnswer(Protocol):
    """How a provider wants an accepted event answered where that depends on the event; None: in the hub's own form."""

    def __call__(self, payload: Any, settings: Settings, /) -> Answer | None:
        """Return the answer to an event with this payload."""


@dataclass(frozen=True)
class Description:
    """What a verified request says of itself; "" where it says nothing."""

    event_id: str
    event_type: str


@dataclass(frozen=True)
class Delivered:
    """A secret that a provider hands over itself, and the answer that it wants for it."""

    secret: str = field(repr=False)
    answer: Answer


@dataclass(frozen=True)
class Provider:
    """Who sends: a scheme plus where the id, the type and the handshake live.

    ``event_id`` and ``event_type`` are places, ``header:NAME`` (``header:NAME|OTHER`` where a provider uses two
    families of names) or ``body:JMESPATH``; of several for the id the first that is there counts, those of the type
    are joined with "." (GitHub: the header and the body's action).
    """

    name: str
    #: The scheme, or how to make it from the endpoint's settings (raises ValueError for impossible ones).
    scheme: Scheme | Callable[[Settings], Scheme]
    documentation_url: str = ""
    settings_schema: Mapping[str, Any] = field(default_factory=settings_schema)
    event_id: Sequence[str] = ()
    event_type: Sequence[str] = ()
    #: The form field that holds the payload as JSON.
    json_field: str = ""
    #: Reads a body whose content type does not say enough: (media type, body) -> payload. None: `payloads.decode`.
    decoder: Callable[[str, bytes], Any] | None = None
    handshake: Handshake | None = None
    #: The answer to an accepted event where the provider wants one of its own: see `answer_to`.
    accepted: Answer | AcceptedAnswer | None = None
    #: What a request without a valid proof is answered where the provider looks at more than the status; its status
    #: counts only for the answer to such a request. None: the hub's own.
    refused: Answer | None = None
    #: JMESPaths of credentials in the payload: the body is stored encrypted, these are masked.
    sensitive_fields: Sequence[str] = ()
    #: Reads the secret from an unsigned request in which the provider delivers it; None for any other request. It is
    #: looked at only while an operator lets the endpoint wait for it. None: the operator pastes the secret.
    delivered_secret: Callable[[InboundRequest], Delivered | None] | None = None
    #: Whether the provider wants that secret entered in a form of its own: it is shown until it is confirmed.
    enters_delivered_secret: bool = False
    #: Where at the provider the URL is entered, for the operator, as its documentation says; "": not known or stable.
    url_help: str = ""
    #: Where at the provider the secret is found, for the operator.
    secret_help: str = ""
    #: Seconds within which the provider wants its answer; None: not documented.
    deadline_seconds: float | None = None
    #: When and for how long the provider sends again what was not accepted, in a sentence; "": not documented.
    retries: str = ""
    #: For how many hours it does so at most: a secret that was used longer ago is safe to retire. None: not documented.
    retry_hours: float | None = None
    #: What its proof does not cover, in a sentence for the operator; "": everything is covered.
    not_covered: str = ""
    #: JMESPath of the list of events in a payload that is a batch; "": one request is one event. The endpoint decides
    #: whether a batch is kept whole (``event_id`` and ``event_type`` describe it then) or split.
    batch: str = ""
    #: Where an item of a split batch has its id: places ``body:JMESPATH`` that are read in the item alone; of several
    #: the first that is there counts. (): the ``body`` places of ``event_id``, read in the item. An item without an id
    #: is known by what it says; the request's headers never tell its items apart.
    item_event_id: Sequence[str] = ()
    #: Where an item has its type, joined as ``event_type`` is and read in the item. (): as ``event_type``. Where
    #: nothing is there, the type is the whole request's.
    item_event_type: Sequence[str] = ()
    #: JMESPath, in the whole payload, of what tells apart two batches whose items say the same (the time of the batch);
    #: for items without an id. "": an item that says what another said is the same.
    batch_stamp: str = ""
    #: (event type, payload) -> the id under which a backfill stores the same; "" for none. For providers that, asked
    #: what they sent, do not know their own ids. None: what is backfilled has the provider's id.
    same_change: Callable[[str, Any], str] | None = None
    #: Headers of which any shows the shared URL that this provider sends. (): those that carry the proof.
    recognised_by: Sequence[str] = ()
    #: Where it sends from, if it says so and the list is short and stable; a hint, off by default.
    source_networks: SourceNetworks | None = None
    #: A realistic event, not yet signed: (event type or "", id) -> Sample. None: a plain JSON sample.
    sample: Callable[[str, str], Sample] | None = None

    @property
    def secret_settings(self) -> frozenset[str]:
        """The names of the settings that are credentials: ``writeOnly`` in the schema."""
        return frozenset(name for name, entry in self._properties.items() if entry.get("writeOnly"))

    @property
    def public_settings(self) -> frozenset[str]:
        """The names of the settings that may be shown."""
        return frozenset(self._properties) - self.secret_settings

    @property
    def _properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.settings_schema.get("properties", {})
        return found

    def scheme_for(self, settings: Settings) -> Scheme:
        """Return the scheme for an endpoint with these settings; raises ValueError if they cannot work."""
        return self.scheme if isinstance(self.scheme, Scheme) else self.scheme(settings)

    def check_settings(self, settings: Settings) -> None:
        """Raise ValueError if a place in ``settings`` cannot be used; the schema has been checked before."""
        for name in ("event_id", "event_type"):
            if name in settings:
                check_place(settings[name])
                kind, _, rest = settings[name].partition(":")
                # Ids and types are stored and shown as they are, and proofs are not.
                if kind == "header" and {part.lower() for part in rest.split("|")} & self._secret_headers(settings):
                    raise ValueError(f"{settings[name]!r} is where the proof stands, which is shown to nobody")

    def _secret_headers(self, settings: Settings) -> frozenset[str]:
        return self.scheme_for(settings).proof_headers | {"authorization", "cookie"}

    def decode(self, content_type: str, body: bytes) -> Any:
        """Return the payload of ``body``, as `payloads.decode` does; ``content_type`` is the media type alone."""
        if self.decoder is not None:
            return self.decoder(content_type, body)
        return payloads.decode(content_type, body, json_field=self.json_field)

    def describe(self, request: InboundRequest, payload: Any, settings: Settings) -> Description:
        """Return the event's id and type, from the operator's places if ``settings`` names them."""
        id_places = [settings["event_id"]] if settings.get("event_id") else self.event_id
        type_places = [settings["event_type"]] if settings.get("event_type") else self.event_type
        found = (read_place(place, request, payload) for place in id_places)
        types = (read_place(place, request, payload) for place in type_places)
        return Description(
            event_id=next((text for text in found if text), ""),
            event_type=".".join(text for text in types if text),
        )

    def describe_item(self, request: InboundRequest, item: Any, whole: Description) -> Description:
        """Return the id and type of one item of a split batch; ``whole`` is what the request says of itself."""
        id_places = [place for place in self.item_event_id or self.event_id if place.startswith("body:")]
        found = (read_place(place, request, item) for place in id_places)
        types = (read_place(place, request, item) for place in self.item_event_type or self.event_type)
        return Description(
            event_id=next((text for text in found if text), ""),
            event_type=".".join(text for text in types if text) or whole.event_type,
        )

    def recognised_headers(self, settings: Settings) -> frozenset[str]:
        """Return the headers, lower-case, of which any shows at the shared URL that a request is this endpoint's.

        Empty if none does: what proves nothing is never taken there, and ``Authorization`` alone is everybody's.
        Raises ValueError for settings that cannot work.
        """
        scheme = self.scheme_for(settings)
        if not scheme.needs_key:
            return frozenset()
        return frozenset(name.lower() for name in self.recognised_by) or scheme.proof_headers - _EVERYBODYS_HEADERS

    def signs_id(self, settings: Settings) -> bool:
        """Return whether the proof covers the event's id; if not, a known body under a new id may be a replay."""
        place = settings.get("event_id") or next(iter(self.event_id), "")
        scheme = self.scheme_for(settings)
        kind, _, rest = place.partition(":")
        if kind == "header":
            return {name.lower() for name in rest.split("|")} <= scheme.covered_headers
        return kind == "body" and scheme.covers_body

    def answer_to(self, payload: Any, settings: Settings) -> Answer | None:
        """Return the answer to an accepted (or repeated) event in the provider's form, or None for the hub's own."""
        return self.accepted(payload, settings) if callable(self.accepted) else self.accepted

    def example(self, event_type: str, event_id: str, settings: Settings) -> Sample:
        """Return a realistic event, not yet signed, with type and id where this endpoint looks for them."""
        sample = (self.sample or plain_sample)(event_type, event_id)
        for place, text in ((settings.get("event_id"), event_id), (settings.get("event_type"), event_type)):
            if place and text:
                sample = put(sample, place, text)
        return sample


def check_place(place: str) -> None:
    """Raise ValueError unless ``place`` is ``header:NAME`` or ``body:JMESPATH``."""
    kind, _, rest = place.partition(":")
    if kind not in {"header", "body"} or not rest:
        raise ValueError(f"{place!r} is not a place such as header:X-Event-Id or body:data.id")
    if kind == "body":
        try:
            compiled(rest)
        except Exception as exc:  # JMESPath's parser lets a few of Python's own errors through
            raise ValueError(f"{place!r}: {exc}") from exc


def read_place(place: str, request: InboundRequest, payload: Any) -> str:
    """Return the text at ``place``; "" if nothing, or nothing that can be a text, is there."""
    headers, expression = _parts(place)
    value = first_header(request, headers) if headers else search(expression, payload)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        return str(value).strip()
    except ValueError:  # an int of more digits than Python converts
        return ""


@lru_cache(4096)
def _parts(place: str) -> tuple[tuple[str, ...], str]:
    """Return the headers, or the JMESPath, that ``place`` names."""
    kind, _, rest = place.partition(":")
    return (tuple(rest.split("|")), "") if kind == "header" else ((), rest)


def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


providers: Registry[Provider] = Registry("provider", _load)


def provider_choices() -> list[tuple[str, str]]:
    """Return (key, name) of every provider, for forms."""
    return [(key, providers[key].name) for key in providers]
