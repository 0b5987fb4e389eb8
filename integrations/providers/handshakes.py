"""The shapes in which providers check that a URL is its owner's; a preset names one and fills it in."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from integrations.contracts import InboundRequest
from integrations.errors import ReferenceMissing
from integrations.providers import Answer, Settings
from integrations.references import resolve
from integrations.verification.reasons import Reason, malformed, unproven
from integrations.verification.texts import query_parameter, wire_bytes

# What is echoed was written by someone else: no browser may take it for a page.
_NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
_CHALLENGE = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True, kw_only=True)
class Computed:
    """A handshake whose answer is computed with the endpoint's secret; without one it answers nothing.

    What is computed is a signature over a text that the asker chose: each kind admits only texts that cannot be taken
    for the signed content of an event.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    methods: frozenset[str] = field(default=frozenset(), init=False)

    def with_keys(self, keys: Sequence[str]) -> Self:
        """Return this handshake for an endpoint with these live secrets, the one to answer with first."""
        return replace(self, keys=tuple(keys))

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Answer a request without proof; most have none."""
        return None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Answer a request that has been verified; most have none."""
        return None


@dataclass(frozen=True)
class Ready:
    """A bare request (HEAD, GET) that asks whether there is anything at the URL: 200 without a body, and no event."""

    methods: frozenset[str]

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return an empty answer to these methods."""
        return Answer() if request.method in self.methods else None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return None: what is signed is an event."""
        return None


@dataclass(frozen=True, kw_only=True)
class ChallengeInQuery:
    """GET with a challenge in the query string, echoed as text if the verify token beside it is the endpoint's own."""

    mode: tuple[str, str]
    challenge: str
    token: str
    methods: frozenset[str] = field(default=frozenset({"GET"}), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return the challenge; raises `VerificationFailed` if the token is wrong or none is set."""
        name, value = self.mode
        if request.method not in self.methods or query_parameter(request, name) != value:
            return None
        try:
            expected = resolve(str(settings.get("verify_token") or "")).encode("utf-8", "surrogatepass")
        except ReferenceMissing:
            expected = b""
        if not expected.strip():
            raise unproven(Reason.VERIFY_TOKEN_NOT_SET)
        if not hmac.compare_digest(wire_bytes(query_parameter(request, self.token)), expected):
            raise unproven(Reason.VERIFY_TOKEN_MISMATCH)
        challenge = query_parameter(request, self.challenge)
        if not _CHALLENGE.fullmatch(challenge):
            raise unproven(Reason.CHALLENGE_UNREADABLE)
        return Answer(body=challenge.encode("ascii"), headers=_NO_SNIFFING)

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return None: what is signed is an event."""
        return None


@dataclass(frozen=True, kw_only=True)
class ChallengeInBody:
    """A signed POST with a ``type`` of its own, such as url_verification: its ``challenge`` is echoed as text."""

    kind: str
    challenge: str = "challenge"
    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return None: this handshake is signed."""
        return None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return the challenge; raises `MalformedPayload` if there is none."""
        if not isinstance(payload, Mapping) or payload.get("type") != self.kind:
            return None
        return echoed(payload.get(self.challenge))


@dataclass(frozen=True, kw_only=True)
class Ping:
    """A signed POST whose ``type`` is a number that stands for "are you there?", by the endpoint's mode."""

    #: mode -> (the number, the answer)
    answers: Mapping[str, tuple[int, Answer]]
    default_mode: str
    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return None: this handshake is signed."""
        return None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return the answer of the endpoint's mode to its ping."""
        number, answer = self.answers[settings.get("mode", self.default_mode)]
        kind = payload.get("type") if isinstance(payload, Mapping) else None
        # In Python, true is 1; in JSON it is not.
        return answer if type(kind) is int and kind == number else None


@dataclass(frozen=True)
class EmptyBatch:
    """A signed POST whose list of events is there and empty: 200, and no event."""

    name: str
    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return None: this handshake is signed."""
        return None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return an empty answer to an empty list."""
        return Answer() if isinstance(payload, Mapping) and payload.get(self.name) == [] else None


def checked_challenge(challenge: Any) -> bool:
    """Return whether ``challenge`` is short plain text, which is all that is ever echoed."""
    return isinstance(challenge, str) and bool(_CHALLENGE.fullmatch(challenge))


def echoed(challenge: Any) -> Answer:
    """Return a signed request's ``challenge`` as text; raises `MalformedPayload` if it is no short plain text."""
    if not checked_challenge(challenge):
        raise malformed(Reason.CHALLENGE_UNREADABLE)
    return Answer(body=challenge.encode("ascii"), headers=_NO_SNIFFING)


def json_answer(payload: Any) -> Answer:
    """Return ``payload`` as an answer in JSON."""
    return Answer(body=json.dumps(payload, separators=(",", ":")).encode(), content_type="application/json")
