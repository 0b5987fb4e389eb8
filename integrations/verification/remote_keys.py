"""Public keys and certificates that a provider publishes: pasted by the operator, or fetched from pinned addresses.

What is fetched comes over TLS with verified names, without redirects, small and soon, and is kept; a failure is kept
too, for a while, so that strangers cannot make the hub fetch again and again. The addresses are the preset's: of what a
request names, only what the preset's pattern allows is ever looked at.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import httpx
from cachetools import LRUCache
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from integrations.connectors.http import call, guarded_client
from integrations.errors import HubError, KeysUnavailable, VerificationFailed
from integrations.verification.reasons import Reason, unproven

PublicKey = RSAPublicKey | EllipticCurvePublicKey

#: No certificate chain and no key set of a provider is larger.
MAX_DOCUMENT_BYTES = 64 * 1024
_FETCH_SECONDS = 5.0
_FRESH_SECONDS = 3600.0
#: How long a failure counts, and how soon a key set that lacks a key is asked for again.
_RETRY_SECONDS = 60.0
#: So many a minute of what only requests name, and was not found yet: addresses of the pattern can be made up without
#: end. The preset's own addresses, and what was there before, are few; made-up ones must not keep them from being had.
_FETCHES_A_MINUTE = 20
_LEAST_RSA_BITS = 2048
_MARK = "-----BEGIN "


class NoSuchDocument(HubError):
    """The pinned address has nothing: what names it is no provider's."""


def fetch_document(url: str, *, client: Callable[[float], httpx.Client] = guarded_client) -> bytes:
    """Return what is at ``url``; raises `NoSuchDocument`, or another `HubError` if it cannot be had now."""
    with client(_FETCH_SECONDS) as session:
        reply = call(session, "GET", url, kept_body_bytes=MAX_DOCUMENT_BYTES)
    if 400 <= reply.status < 500 and reply.status not in {408, 429}:
        raise NoSuchDocument(f"answered {reply.status}")
    if reply.status != 200 or not reply.is_whole:
        raise HubError(f"answered {reply.status}, {len(reply.body)} bytes")
    return reply.body


@dataclass(frozen=True)
class _Kept:
    """What came of a fetch: a document, or the error that is raised again until it is ``until``."""

    at: float
    until: float
    document: bytes = b""
    error: type[HubError] | None = None


class RemoteDocuments:
    """Documents by address, fetched once for all who want them; safe between threads."""

    def __init__(
        self, *, fetch: Callable[[str], bytes] = fetch_document, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: LRUCache[str, _Kept] = LRUCache(256)
        self._fetches: deque[float] = deque(maxlen=_FETCHES_A_MINUTE)
        self._lock = threading.Lock()

    def get(self, url: str, *, again: bool = False, by_stranger: bool = False) -> bytes:
        """Return the document at ``url``, which the caller has checked against the preset's pattern.

        ``by_stranger`` says that the request names the address: what is new of these is fetched so many times a minute.
        ``again`` asks for a new one, which is fetched if the kept one is older than a minute. Raises
        `VerificationFailed` if there is none, `KeysUnavailable` if it cannot be had now.
        """
        with self._lock:  # one fetch at a time, bounded in seconds; those who wait find it kept
            kept = self._kept.get(url)
            now = self._clock()
            if kept is None or now >= kept.until or (again and now - kept.at >= _RETRY_SECONDS):
                if by_stranger and (kept is None or kept.error is not None):
                    self._spend(now)
                found = self._fetched(url, now)
                if found.error is not None and kept is not None and kept.error is None and now < kept.until:
                    found = replace(kept, at=now)  # made-up key names must not cost a good document
                kept = self._kept[url] = found
        if kept.error is NoSuchDocument:
            raise unproven(Reason.KEY_UNKNOWN)
        if kept.error is not None:
            raise KeysUnavailable(Reason.KEYS_UNAVAILABLE.value)
        return kept.document

    def _spend(self, now: float) -> None:
        if len(self._fetches) == _FETCHES_A_MINUTE and now - self._fetches[0] < _RETRY_SECONDS:
            raise KeysUnavailable(Reason.KEYS_UNAVAILABLE.value)
        self._fetches.append(now)

    def _fetched(self, url: str, now: float) -> _Kept:
        try:
            document = self._fetch(url)
        except NoSuchDocument:
            return _Kept(now, now + _RETRY_SECONDS, error=NoSuchDocument)
        except HubError:
            return _Kept(now, now + _RETRY_SECONDS, error=HubError)
        return _Kept(now, now + _FRESH_SECONDS, document)


#: The documents of this process.
documents = RemoteDocuments()


def split_identity(secret: str) -> tuple[str, str]:
    """Return an identity (a webhook id, a topic, an audience) and the key or certificate pasted below it, or "".

    A key that stands there is the only one that proves anything for this secret: nothing is fetched for it.
    """
    if secret.lstrip().startswith("{"):  # a JWK alone
        return "", secret.strip()
    identity, mark, rest = secret.partition(_MARK)
    return identity.strip(), f"{mark}{rest}".strip() + "\n" if mark else ""


def pasted_first(candidates: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return (index, secret) pairs, those with a key pasted below the identity first: they need no fetch."""
    return sorted(candidates, key=lambda candidate: not split_identity(candidate[1])[1])


def public_key(text: Any) -> PublicKey:
    """Return the key in a PEM public key, a PEM certificate or a JWK (object or JSON); raises ValueError."""
    return _public_key(json.dumps(text) if isinstance(text, Mapping) else str(text))


@lru_cache(maxsize=256)
def _public_key(text: str) -> PublicKey:
    stripped = text.strip()
    try:
        if stripped.startswith("{"):
            return _strong(PyJWK(json.loads(stripped)).key)
        if "BEGIN CERTIFICATE" in stripped:
            return _strong(x509.load_pem_x509_certificate(stripped.encode()).public_key())
        return _strong(load_pem_public_key(stripped.encode()))
    except (ValueError, TypeError, RecursionError, PyJWTError) as exc:
        raise ValueError("This is no public key: paste it as PEM, or as a JWK.") from exc


@lru_cache(maxsize=256)
def load_certificate(pem: str) -> x509.Certificate:
    """Return the first certificate in ``pem``; raises ValueError if there is none, or its key is not RSA or short."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.strip().encode())
        key = _strong(certificate.public_key())
    except (ValueError, TypeError) as exc:
        raise ValueError("This is no certificate: paste it as PEM, with its BEGIN and END lines.") from exc
    if not isinstance(key, RSAPublicKey):
        raise ValueError("This certificate's key is not RSA; it is not this provider's.")
    return certificate


def check_certificates(certificates: Mapping[str, str]) -> None:
    """Raise ValueError unless every value is a certificate that `load_certificate` takes; the message names it."""
    for name, pem in certificates.items():
        try:
            load_certificate(pem)
        except ValueError as exc:
            raise ValueError(f"{name}: {exc}") from exc


def _strong(key: Any) -> PublicKey:
    if isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return key
    if isinstance(key, EllipticCurvePublicKey):
        return key
    raise ValueError("not a key of this kind, or too short a one")


@dataclass(frozen=True)
class KeySet:
    """Keys by their ``kid``: those that the operator pasted, or else those at ``url`` (a JWKS, or PEM by ``kid``)."""

    url: str = ""
    pasted: Mapping[str, Any] | None = None

    def key(self, kid: str, source: RemoteDocuments) -> PublicKey:
        """Return the key named ``kid``; raises `VerificationFailed` if there is none, or `KeysUnavailable`."""
        if self.pasted or not self.url:
            return self._found(self.pasted or {}, kid)
        try:
            return self._found(_keys(source.get(self.url)), kid)
        except VerificationFailed:  # a key that is newer than what was kept
            return self._found(_keys(source.get(self.url, again=True)), kid)

    def _found(self, keys: Mapping[str, Any], kid: str) -> PublicKey:
        try:
            return public_key(keys[kid])
        except (KeyError, ValueError):
            raise unproven(Reason.KEY_UNKNOWN) from None


def _keys(document: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    if isinstance(found, dict) and isinstance(found.get("keys"), list):
        return {str(key.get("kid")): key for key in found["keys"] if isinstance(key, dict)}
    return found if isinstance(found, dict) else {}


def check_pasted(keys: Mapping[str, Any]) -> None:
    """Raise ValueError unless every value is a usable public key or certificate; the message names the entry."""
    for name, text in keys.items():
        try:
            public_key(text)
        except ValueError as exc:
            raise ValueError(f"{name}: {exc}") from exc


def public_pem(key: PublicKey) -> str:
    """Return ``key`` as PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: EllipticCurvePrivateKey | RSAPrivateKey) -> str:
    """Return ``key`` as PEM, not encrypted: it is stored in an encrypted field."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
