"""HMAC signatures: a shared secret, a template, a header. Most providers sign in this way.

https://www.rfc-editor.org/rfc/rfc2104
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import new as new_hash
from hashlib import sha1
from typing import Literal

from integrations.contracts import InboundRequest
from integrations.verification.signature import SignatureScheme
from integrations.verification.texts import decode_key

Algorithm = Literal["sha1", "sha256", "sha512"]
#: What the secret is before it becomes the key: its text, or base64 or hexadecimal for the key's bytes; ``whsec`` is
#: Standard Webhooks' base64 behind ``whsec_`` (https://github.com/standard-webhooks/standard-webhooks) and
#: ``text_or_whsec`` either (Polar); ``nfkd`` is the text in that normal form (EasyPost), ``sha1`` its hash (Braintree).
KeyForm = Literal["text", "base64", "hex", "whsec", "text_or_whsec", "nfkd", "sha1"]


@dataclass(frozen=True, kw_only=True)
class Hmac(SignatureScheme):
    """An HMAC over a template of the request, under each of the endpoint's live secrets.

    With ``secret_first`` it is the plain hash of secret and text instead, for senders that know nothing better (a
    signature so made can be extended by whoever sees it: only where the text's end cannot be made up, as in JSON).
    """

    kind = "hmac"

    algorithm: Algorithm = "sha256"
    key_form: KeyForm = "text"
    secret_first: bool = False

    def check_key(self, key: str) -> None:
        """Refuse an empty secret, and one that is not in the form in which the provider shows it."""
        self.key_bytes(key)

    def key_bytes(self, key: str) -> bytes:
        """Return the key that ``key`` spells; raises ValueError for an empty or unreadable one."""
        if not key.strip():
            raise ValueError("The secret is empty; an empty one proves nothing.")
        if self.key_form in {"text", "text_or_whsec", "nfkd", "sha1"}:
            text = unicodedata.normalize("NFKD", key) if self.key_form == "nfkd" else key
            raw = text.encode("utf-8", "surrogatepass")
            return sha1(raw, usedforsecurity=False).digest() if self.key_form == "sha1" else raw
        # Supabase shows v1,whsec_...; a secret without the prefix is as good.
        text = key.removeprefix("v1,").removeprefix("whsec_") if self.key_form == "whsec" else key
        prepared = decode_key(text, "hex" if self.key_form == "hex" else "base64")
        if not prepared:
            raise ValueError("The secret is empty after its prefix; an empty one proves nothing.")
        return prepared

    def algorithm_for(self, request: InboundRequest) -> Algorithm:
        """Return the hash function; a preset whose requests may name another overrides this."""
        return self.algorithm

    def size(self, request: InboundRequest) -> int:
        """Return how many bytes the digest has."""
        return new_hash(self.algorithm_for(request), usedforsecurity=False).digest_size

    def made(self, signatures: Sequence[bytes], content: bytes, key: str, request: InboundRequest) -> bool:
        """Compare one digest with all signatures, each in constant time."""
        digests = [self._digest(content, raw, request) for raw in self._all_key_bytes(key)]
        return any(hmac.compare_digest(digest, signature) for digest in digests for signature in signatures)

    def make(self, content: bytes, key: str, request: InboundRequest) -> bytes:
        """Return the digest."""
        return self._digest(content, self.key_bytes(key), request)

    def _digest(self, content: bytes, key: bytes, request: InboundRequest) -> bytes:
        algorithm = self.algorithm_for(request)
        if self.secret_first:
            return new_hash(algorithm, key + content).digest()
        return hmac.digest(key, content, algorithm)

    def _all_key_bytes(self, key: str) -> list[bytes]:
        """Return the keys that ``key`` may stand for; more than one only with ``text_or_whsec``."""
        found = [self.key_bytes(key)]
        if self.key_form == "text_or_whsec":
            with suppress(ValueError):
                found.append(decode_key(key.removeprefix("whsec_"), "base64"))
        return [raw for raw in found if raw]
