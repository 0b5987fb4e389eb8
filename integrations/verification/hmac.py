"""HMAC signatures: a shared secret, a template, a header. Most providers sign in this way.

https://www.rfc-editor.org/rfc/rfc2104
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import new as new_hash
from typing import Literal

from integrations.contracts import InboundRequest
from integrations.verification.signature import SignatureScheme
from integrations.verification.texts import decode_key

Algorithm = Literal["sha1", "sha256", "sha512"]
#: What the secret is before it becomes the key: its text, or base64 or hexadecimal for the key's bytes; ``whsec`` is
#: Standard Webhooks' base64 behind ``whsec_`` (https://github.com/standard-webhooks/standard-webhooks).
KeyForm = Literal["text", "base64", "hex", "whsec"]


@dataclass(frozen=True, kw_only=True)
class Hmac(SignatureScheme):
    """An HMAC over a template of the request, under each of the endpoint's live secrets."""

    kind = "hmac"

    algorithm: Algorithm = "sha256"
    key_form: KeyForm = "text"

    def check_key(self, key: str) -> None:
        """Refuse an empty secret, and one that is not in the form in which the provider shows it."""
        self.key_bytes(key)

    def key_bytes(self, key: str) -> bytes:
        """Return the key that ``key`` spells; raises ValueError for an empty or unreadable one."""
        if not key.strip():
            raise ValueError("The secret is empty; an empty one proves nothing.")
        if self.key_form == "text":
            return key.encode("utf-8", "surrogatepass")
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
        digest = self.make(content, key, request)
        return any(hmac.compare_digest(digest, signature) for signature in signatures)

    def make(self, content: bytes, key: str, request: InboundRequest) -> bytes:
        """Return the digest."""
        return hmac.digest(self.key_bytes(key), content, self.algorithm_for(request))
