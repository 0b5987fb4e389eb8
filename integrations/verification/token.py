"""Tokens: the sender shows the secret itself. They prove who sends, not what: the body is not covered."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from integrations.contracts import InboundRequest
from integrations.verification.base import Scheme, usable
from integrations.verification.reasons import Reason, unproven
from integrations.verification.texts import header_text, query_parameter, wire_bytes, with_headers, with_parameter

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class Token(Scheme):
    """A secret in a header, behind a word where there is one (``Bearer``), or in a query parameter."""

    kind = "token"

    header: str = ""
    word: str = ""
    parameter: str = ""

    def __post_init__(self) -> None:
        if bool(self.header) == bool(self.parameter):
            raise ValueError("A token stands in a header or in a query parameter.")

    @property
    def shows_key(self) -> bool:
        """True."""
        return True

    @property
    def proof_headers(self) -> frozenset[str]:
        """The header, lower-case."""
        return frozenset([self.header.lower()] if self.header else [])

    @property
    def proof_parameters(self) -> frozenset[str]:
        """The query parameter."""
        return frozenset([self.parameter.lower()] if self.parameter else [])

    def check_key(self, key: str) -> None:
        """Refuse an empty token, and one that no header could carry unchanged."""
        if not key.strip():
            raise ValueError("The token is empty; an empty one proves nothing.")
        if _CONTROL.search(key) or key != key.strip():
            raise ValueError("A token can neither begin nor end with white space, nor hold a line break.")

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that is the request's token; raises `VerificationFailed`."""
        candidates = usable(keys, self.check_key)
        token = self._token(request)
        for index, key in candidates:
            if hmac.compare_digest(token, key.encode("utf-8", "surrogatepass")):
                return index
        raise unproven(Reason.TOKEN_MISMATCH, secrets=len(candidates))

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with the token in its place."""
        if self.parameter:
            return with_parameter(request, f"{self.parameter}={quote(key, safe='')}")
        value = f"{self.word} {key}" if self.word else key
        return with_headers(request, {self.header: header_text(value)})

    def _token(self, request: InboundRequest) -> bytes:
        found = query_parameter(request, self.parameter) if self.parameter else request.headers.get(self.header, "")
        if self.word:
            word, _, found = found.partition(" ")
            found = found.strip() if word.lower() == self.word.lower() else ""
        if not found:
            raise unproven(Reason.TOKEN_MISSING, place=self.header or self.parameter)
        return wire_bytes(found)


@dataclass(frozen=True)
class Basic(Scheme):
    """HTTP Basic authentication; the secret is ``user:password``.

    https://www.rfc-editor.org/rfc/rfc7617
    """

    kind = "basic"

    @property
    def shows_key(self) -> bool:
        """True."""
        return True

    @property
    def proof_headers(self) -> frozenset[str]:
        """The header of HTTP authentication."""
        return frozenset({"authorization"})

    def check_key(self, key: str) -> None:
        """Refuse what is not ``user:password``, and an empty password."""
        _, colon, password = key.partition(":")
        if not colon:
            raise ValueError("Enter user and password with a colon between them: user:password.")
        if not password.strip():
            raise ValueError("The password is empty; an empty one proves nothing.")
        if _CONTROL.search(key):
            raise ValueError("Neither user nor password can hold a line break or another control character.")

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key whose user and password the request shows; raises `VerificationFailed`."""
        candidates = usable(keys, self.check_key)
        shown = self._credentials(request)
        for index, key in candidates:
            if hmac.compare_digest(shown, key.encode("utf-8", "surrogatepass")):
                return index
        raise unproven(Reason.TOKEN_MISMATCH, secrets=len(candidates))

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with user and password in its header."""
        encoded = base64.b64encode(key.encode("utf-8", "surrogatepass")).decode("ascii")
        return with_headers(request, {"Authorization": f"Basic {encoded}"})

    def _credentials(self, request: InboundRequest) -> bytes:
        word, _, encoded = request.headers.get("Authorization", "").partition(" ")
        encoded = encoded.strip()
        if word.lower() != "basic" or not encoded:
            raise unproven(Reason.TOKEN_MISSING, place="Authorization")
        try:
            shown = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise unproven(Reason.TOKEN_UNDECODABLE, place="Authorization") from None
        # One spelling only, as for signatures: stray bits and text after the padding are refused.
        if base64.b64encode(shown).decode("ascii") != encoded:
            raise unproven(Reason.TOKEN_UNDECODABLE, place="Authorization")
        return shown
