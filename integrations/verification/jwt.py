"""Signed tokens (JWT): the algorithm is the preset's, never the token's choice; claims tie it to body, URL and time.

https://www.rfc-editor.org/rfc/rfc7519, https://www.rfc-editor.org/rfc/rfc8725 (what goes wrong with them)
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from math import ceil, isfinite
from typing import Any, Literal
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from integrations.contracts import InboundRequest
from integrations.verification.base import Scheme, usable
from integrations.verification.reasons import Reason, unproven
from integrations.verification.remote_keys import (
    KeySet,
    PublicKey,
    RemoteDocuments,
    documents,
    pasted_first,
    private_pem,
    public_key,
    public_pem,
    split_identity,
)
from integrations.verification.texts import wire_bytes, with_headers

_MAX_TOKEN = 16 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LATEST = 10**11  # seconds; no clock gets there
_JWS = PyJWS()
_TEST_KID = "hub-test-events"


@dataclass(frozen=True)
class SignedToken:
    """A token taken apart; nothing of it is proven yet."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    content: bytes
    signature: bytes


@dataclass(frozen=True, kw_only=True)
class Jwt(Scheme):
    """A signed token in a header, behind a word where there is one (``Bearer``).

    ``required`` are claims that have to be there. ``body_claim`` holds the SHA-256 of the body (absent for an empty one
    if ``empty_body_unhashed``), ``url_claim`` that of the URL in hexadecimal. ``exp`` and ``nbf`` count where they are,
    with ``leeway_seconds``; ``max_age_seconds`` limits the age by ``iat``. ``lifetime_seconds`` is what `sign` gives.
    """

    kind = "jwt"

    algorithms: tuple[str, ...]
    header: str = "Authorization"
    word: str = ""
    required: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    leeway_seconds: int = 60
    max_age_seconds: int | None = None
    lifetime_seconds: int | None = None
    body_claim: str = ""
    body_encoding: Literal["hex", "base64"] = "hex"
    empty_body_unhashed: bool = False
    url_claim: str = ""
    signed_url: str = ""

    @property
    def covers_body(self) -> bool:
        """Whether a claim holds the body's hash."""
        return bool(self.body_claim)

    @property
    def proof_headers(self) -> frozenset[str]:
        """The token's header."""
        return frozenset({self.header.lower()})

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that the token is proven by; raises `VerificationFailed`. Its age comes last."""
        candidates = usable(keys, self.check_key)
        token = self.token(request)
        if token.header.get("alg") not in self.algorithms:
            raise unproven(Reason.ALGORITHM_UNKNOWN, header=self.header)
        mismatch: Reason = Reason.SIGNATURE_MISMATCH
        for index, key in self.ordered(candidates):
            if not self._signed(token, self.verifying_key(token, key)):
                continue
            if not self.is_for(token.claims, key):
                mismatch = Reason.CLAIM_MISMATCH
                continue
            self._check_claims(token.claims, request)
            self._judge(token.claims, request.received_at)
            return index
        raise unproven(mismatch, secrets=len(candidates))

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with a token for it."""
        claims = {**self.claims_for(request, now), **self.claims_of(key)}
        algorithm = _JWS.get_algorithm_by_name(self.algorithms[0])
        header = {"alg": self.algorithms[0], "typ": "JWT", **self.header_of(key)}
        content = f"{_encoded(_json(header))}.{_encoded(_json(claims))}"
        signature = algorithm.sign(content.encode(), algorithm.prepare_key(self.signing_key(key)))
        token = f"{content}.{_encoded(signature)}"
        return with_headers(request, {self.header: f"{self.word} {token}" if self.word else token})

    def claims_for(self, request: InboundRequest, now: datetime) -> dict[str, Any]:
        """Return the claims of a new token for ``request``."""
        issued = int(now.timestamp())
        claims: dict[str, Any] = {"iat": issued, "jti": uuid4().hex}
        if self.issuers:
            claims["iss"] = self.issuers[0]
        if self.lifetime_seconds is not None:
            claims |= {"nbf": issued, "exp": issued + self.lifetime_seconds}
        if self.body_claim and (request.body or not self.empty_body_unhashed):
            claims[self.body_claim] = self._body_hash(request)
        if self.url_claim:
            claims[self.url_claim] = self._url_hash(request)
        return claims

    def ordered(self, candidates: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Return the keys in the order in which they are tried."""
        return candidates

    def claims_of(self, key: str) -> dict[str, Any]:
        """Return the claims that depend on the key."""
        return {}

    def header_of(self, key: str) -> dict[str, str]:
        """Return the token's header fields that depend on the key."""
        return {}

    def is_for(self, claims: Mapping[str, Any], key: str) -> bool:
        """Return whether claims that depend on the key are as they should be."""
        return True

    @abstractmethod
    def verifying_key(self, token: SignedToken, key: str) -> Any:
        """Return the key that the token has to be signed under; raises `VerificationFailed`."""

    @abstractmethod
    def signing_key(self, key: str) -> Any:
        """Return the key to sign with."""

    def token(self, request: InboundRequest) -> SignedToken:
        """Return the request's token, taken apart; raises `VerificationFailed` for what has more than one spelling."""
        text = request.headers.get(self.header, "")
        if self.word:
            word, _, text = text.partition(" ")
            text = text.strip() if word.lower() == self.word.lower() else ""
        if not text:
            raise unproven(Reason.SIGNATURE_MISSING, header=self.header)
        expected = "header.claims.signature as base64url"
        if len(text) > _MAX_TOKEN or not _TOKEN.fullmatch(text) or not all(map(_is_canonical, text.split("."))):
            raise unproven(Reason.SIGNATURE_UNDECODABLE, header=self.header, expected=expected)
        try:
            # Only taken apart; ``crit`` is looked at here. The proof is `_signed`'s.
            parts = _JWS.decode_complete(text, options={"verify_signature": False})
            claims = json.loads(parts["payload"], parse_constant=_refuse)
        except (PyJWTError, ValueError, RecursionError):
            raise unproven(Reason.SIGNATURE_UNDECODABLE, header=self.header, expected=expected) from None
        if not isinstance(claims, dict) or not isinstance(parts["header"].get("alg"), str):
            raise unproven(Reason.SIGNATURE_UNDECODABLE, header=self.header, expected=expected)
        return SignedToken(parts["header"], claims, text.rpartition(".")[0].encode(), parts["signature"])

    def _signed(self, token: SignedToken, key: Any) -> bool:
        algorithm = _JWS.get_algorithm_by_name(token.header["alg"])
        try:
            return bool(algorithm.verify(token.content, algorithm.prepare_key(key), token.signature))
        except (PyJWTError, TypeError, ValueError):  # a key of another kind than the preset's algorithm has
            return False

    def _check_claims(self, claims: Mapping[str, Any], request: InboundRequest) -> None:
        for name in self.required:
            if claims.get(name) in (None, ""):
                raise unproven(Reason.CLAIM_MISSING, claim=name)
        if self.issuers and claims.get("iss") not in self.issuers:
            raise unproven(Reason.CLAIM_MISMATCH, claim="iss")
        if self.url_claim and not _same(claims.get(self.url_claim), self._url_hash(request)):
            raise unproven(Reason.URL_HASH_MISMATCH, claim=self.url_claim)
        if self.body_claim:
            unhashed = self.empty_body_unhashed and not request.body and self.body_claim not in claims
            if not unhashed and not _same(claims.get(self.body_claim), self._body_hash(request)):
                raise unproven(Reason.BODY_HASH_MISMATCH, claim=self.body_claim)

    def _judge(self, claims: Mapping[str, Any], arrival: datetime) -> None:
        now = arrival.timestamp()
        expires, begins, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
        limits = []
        if expires is not None:
            limits.append(expires + self.leeway_seconds)
        if self.max_age_seconds is not None:
            if issued is None:
                raise unproven(Reason.TIMESTAMP_MISSING, place="iat")
            limits.append(issued + self.max_age_seconds)
        if limits and now > min(limits):
            raise unproven(Reason.TIMESTAMP_STALE, stale_by_seconds=ceil(now - min(limits)))
        starts = [begins, issued if limits else None]
        early = max((start - self.leeway_seconds - now for start in starts if start is not None), default=0)
        if early > 0:
            raise unproven(Reason.TIMESTAMP_IN_FUTURE, ahead_by_seconds=ceil(early))

    def _body_hash(self, request: InboundRequest) -> str:
        digest = sha256(request.body)
        return digest.hexdigest() if self.body_encoding == "hex" else base64.b64encode(digest.digest()).decode()

    def _url_hash(self, request: InboundRequest) -> str:
        return sha256(wire_bytes(self.signed_url or request.url)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class SharedJwt(Jwt):
    """A token signed with the shared secret."""

    algorithms: tuple[str, ...] = ("HS256",)

    def check_key(self, key: str) -> None:
        """Refuse an empty secret, and public keys: a stranger may know them."""
        if not key.strip():
            raise ValueError("The secret is empty; an empty one proves nothing.")
        try:
            _JWS.get_algorithm_by_name(self.algorithms[0]).prepare_key(self.signing_key(key))
        except (PyJWTError, ValueError, TypeError):
            raise ValueError("This is a public key or a certificate, not a shared secret.") from None

    def verifying_key(self, token: SignedToken, key: str) -> bytes:
        """Return the secret."""
        return self.signing_key(key)

    def signing_key(self, key: str) -> bytes:
        """Return the secret's text."""
        return key.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, kw_only=True)
class PublishedKeyJwt(Jwt):
    """A token signed with a private key of the provider's; the public ones are known by ``kid``.

    The secret says for whom the tokens are (an audience); a public key pasted below it is the only one that counts.
    """

    symmetric = False

    keys: KeySet = field(default_factory=KeySet)
    source: RemoteDocuments = field(default=documents, repr=False, compare=False)

    def check_key(self, key: str) -> None:
        """Refuse an empty secret, and a public key that is none."""
        identity, pem = split_identity(key)
        if not identity and not pem:
            raise ValueError("The secret is empty; an empty one proves nothing.")
        if pem:
            public_key(pem)

    def new_pair(self) -> tuple[str, str]:
        """Return a new (public, private) pair, each with its identity above the key."""
        private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        if self.algorithms[0].startswith("ES"):
            private = ec.generate_private_key(ec.SECP256R1())
        else:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        identity = f"hub-test-{uuid4().hex}"
        return f"{identity}\n{public_pem(private.public_key())}", f"{identity}\n{private_pem(private)}"

    def verifying_key(self, token: SignedToken, key: str) -> PublicKey:
        """Return the public key that the token names, or the one that is pasted below the identity."""
        pem = split_identity(key)[1]
        return public_key(pem) if pem else self.keys.key(str(token.header.get("kid", "")), self.source)

    def ordered(self, candidates: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Return those with a key of their own first: nothing is fetched, and nothing refused, for a test event."""
        return pasted_first(candidates)

    def signing_key(self, key: str) -> str:
        """Return the private key as PEM."""
        return split_identity(key)[1]

    def header_of(self, key: str) -> dict[str, str]:
        """Return a ``kid``, which every such token has."""
        return {"kid": _TEST_KID}


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in {int, float} or not -_LATEST < value < _LATEST or not isfinite(value):
        raise unproven(Reason.TIMESTAMP_UNREADABLE, place=name, expected="s")
    return float(value)


def _same(shown: Any, expected: str) -> bool:
    return isinstance(shown, str) and hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), expected.encode())


def _is_canonical(segment: str) -> bool:
    try:
        decoded = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return False
    return _encoded(decoded) == segment


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
