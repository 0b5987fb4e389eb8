"""What all signatures have in common: where they stand, how they are written, what they cover, how old they may be."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import uuid4

from integrations.contracts import InboundRequest
from integrations.verification.base import Scheme, usable
from integrations.verification.bodies import body_value, check_path, with_body_value
from integrations.verification.layouts import Layout, Parsed, Plain
from integrations.verification.reasons import Reason, unproven
from integrations.verification.templates import Moment, Template
from integrations.verification.texts import Encoding, decode_digest, encode_digest, first_header, with_headers
from integrations.verification.timestamps import Timestamp

#: No provider sends more in one request; each costs a comparison.
MAX_SIGNATURES = 10


@dataclass(frozen=True, kw_only=True)
class SignatureScheme(Scheme):
    """A signature over a template of the request.

    ``headers`` are the names under which the signature may stand; a signature in any of them counts, and the first is
    the one that `sign` writes. The same holds for ``id_headers``, which ``{id}`` in the template reads. ``signed_url``
    is what ``{url}`` is where it is not the request's own. ``parameters`` are query parameters that hold a credential
    of this provider's, to be stored encrypted. ``required`` are headers (name, text) that have to say exactly this,
    such as the version of the signature.

    Where the signature is in the body, ``signature_path`` says where (``signature.signature``) and ``headers`` is
    empty; it can then cover single values alone, which ``partial`` has to admit.
    """

    headers: tuple[str, ...] = ()
    signature_path: str = ""
    layout: Layout = field(default_factory=Plain)
    encoding: Encoding = "hex"
    template: str = "{body}"
    timestamp: Timestamp | None = None
    id_headers: tuple[str, ...] = ()
    signed_url: str = ""
    parameters: frozenset[str] = frozenset()
    required: tuple[tuple[str, str], ...] = ()
    partial: bool = False

    def __post_init__(self) -> None:
        if bool(self.headers) == bool(self.signature_path):
            raise ValueError("A signature stands in a header or at a place in the body.")
        if self.signature_path:
            check_path(self.signature_path)
        # A timestamp in a body that is covered whole is covered with it.
        in_body = self.timestamp is not None and bool(self.timestamp.path) and self.content.covers_body
        if not in_body and self.content.covers("timestamp") != (self.timestamp is not None):
            raise ValueError("The template holds {timestamp} if, and only if, the place of the timestamp is set.")
        if self.content.covers("id") != bool(self.id_headers):
            raise ValueError("The template holds {id} if, and only if, the id's header is set.")

    @cached_property
    def content(self) -> Template:
        """The template, parsed; raises ValueError if it cannot be used."""
        return Template(self.template, partial=self.partial)

    @property
    def covers_body(self) -> bool:
        """Whether the template holds the whole body."""
        return self.content.covers_body

    @property
    def covered_headers(self) -> frozenset[str]:
        """The id's header, and those that the template names."""
        return frozenset(name.lower() for name in (*self.id_headers, *self.content.signed_headers))

    @property
    def proof_headers(self) -> frozenset[str]:
        """The names under which the signature may stand, lower-case."""
        return frozenset(name.lower() for name in self.headers)

    @property
    def proof_parameters(self) -> frozenset[str]:
        """Query parameters that hold a credential."""
        return self.parameters

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that made one of the request's signatures; raises `VerificationFailed`.

        The timestamp's age is judged last: a wrong signature is called wrong whatever it says of its age.
        """
        candidates = usable(keys, self.check_key)
        parsed = self._parsed(request)
        self._check_required(request)
        text, moment = "", None
        if self.timestamp is not None and self.content.covers("timestamp"):
            text = self.timestamp.text(request, parsed.fields)
            moment = self.timestamp.read(text)
        signatures = self._decoded(parsed, request)
        contents = self.contents(request, text)
        for index, key in candidates:
            if any(self.made(signatures, content, key, request) for content in contents):
                if self.timestamp is not None:
                    # Within a body that is signed whole it is read now: a stranger's is not parsed.
                    moment = moment or self.timestamp.read(self.timestamp.text(request, parsed.fields))
                    self.timestamp.judge(moment, request.received_at)
                return index
        raise unproven(Reason.SIGNATURE_MISMATCH, signatures=len(signatures), secrets=len(candidates))

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` as the provider would send it, signed with ``key`` at ``now``.

        Headers that the signature covers and that are not there yet (an id) are added, and a timestamp in the body is
        brought up to ``now``. Raises ValueError if the body cannot hold what has to stand in it.
        """
        missing = [name for name in self.content.signed_headers if name not in request.headers]
        if self.id_headers and not first_header(request, self.id_headers):
            missing.append(self.id_headers[0])
        request = with_headers(request, {**{name: f"msg_{uuid4().hex}" for name in missing}, **dict(self.required)})
        text = self.timestamp.write(now) if self.timestamp else ""
        if self.timestamp and self.timestamp.path:
            value = text if self.timestamp.unit == "iso8601" else int(text)
            request = with_body_value(request, self.timestamp.path, value)
        elif self.timestamp and self.timestamp.headers:
            request = with_headers(request, {self.timestamp.headers[0]: text})
        signature = self.make(self.contents(request, text)[0], key, request)
        written = self.layout.format(encode_digest(signature, self.encoding), text)
        if self.signature_path:
            return with_body_value(request, self.signature_path, written)
        return with_headers(request, {self.headers[0]: written})

    def contents(self, request: InboundRequest, timestamp: str) -> Sequence[bytes]:
        """Return the texts any one of which may have been signed; the first is the one to sign.

        Raises `VerificationFailed` if a part of them is not in the request.
        """
        event_id = first_header(request, self.id_headers)
        if self.id_headers and not event_id:
            raise unproven(Reason.SIGNED_HEADER_MISSING, header=self.id_headers[0])
        return [
            self.content.render(Moment(request, timestamp=timestamp, event_id=event_id, url=url))
            for url in self.urls(request)
        ]

    def urls(self, request: InboundRequest) -> Sequence[str]:
        """Return what ``{url}`` may stand for."""
        return [self.signed_url or request.url]

    @abstractmethod
    def size(self, request: InboundRequest) -> int:
        """Return how many bytes a signature has."""

    @abstractmethod
    def made(self, signatures: Sequence[bytes], content: bytes, key: str, request: InboundRequest) -> bool:
        """Return whether ``key`` made one of ``signatures`` over ``content``."""

    @abstractmethod
    def make(self, content: bytes, key: str, request: InboundRequest) -> bytes:
        """Return the signature of ``content``."""

    def _check_required(self, request: InboundRequest) -> None:
        for name, wanted in self.required:
            if request.headers.get(name) != wanted:
                raise unproven(Reason.SIGNED_OTHERWISE, header=name, expected=wanted)

    def _parsed(self, request: InboundRequest) -> Parsed:
        texts = [text for name in self.headers if (text := request.headers.get(name))]
        if self.signature_path and (text := body_value(request, self.signature_path)):
            texts.append(text)
        if not texts:
            raise unproven(Reason.SIGNATURE_MISSING, header=self._place)
        parsed = [self.layout.parse(text) for text in texts]
        signatures = [signature for part in parsed for signature in part.signatures]
        if len(signatures) > MAX_SIGNATURES:
            raise unproven(Reason.TOO_MANY_SIGNATURES, signatures=len(signatures), allowed=MAX_SIGNATURES)
        return Parsed(signatures, parsed[0].fields)

    def _decoded(self, parsed: Parsed, request: InboundRequest) -> list[bytes]:
        size = self.size(request)
        decoded = [decode_digest(text, self.encoding, size) for text in parsed.signatures]
        signatures = [signature for signature in decoded if signature is not None]
        if not signatures:
            expected = self.layout.format(f"<{size} bytes as {self.encoding}>", "<timestamp>")
            raise unproven(Reason.SIGNATURE_UNDECODABLE, header=self._place, expected=expected)
        return signatures

    @property
    def _place(self) -> str:
        return self.headers[0] if self.headers else self.signature_path
