"""Ed25519 signatures: the provider keeps the private key, the operator pastes the public one.

https://www.rfc-editor.org/rfc/rfc8032
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from integrations.contracts import InboundRequest
from integrations.verification.signature import SignatureScheme
from integrations.verification.texts import decode_key, encode_digest

_KEY_BYTES = 32
_SIGNATURE_BYTES = 64

# Points of small order (their y, the sign bit left out): under such a "key" a stranger can sign. The list is
# libsodium's, https://github.com/jedisct1/libsodium (ge25519_has_small_order).
_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


@dataclass(frozen=True, kw_only=True)
class Ed25519(SignatureScheme):
    """An Ed25519 signature over a template of the request.

    The secret is the public key; `sign` takes the private one, as `new_pair` returns it: the 32 bytes of its seed.
    """

    kind = "ed25519"
    symmetric = False

    key_encoding: Literal["hex", "base64"] = "hex"
    public_prefix: str = ""
    private_prefix: str = ""

    def check_key(self, key: str) -> None:
        """Refuse what is not a public key, and the few public keys under which anyone can sign."""
        self._public(key)

    def new_pair(self) -> tuple[str, str]:
        """Return a new (public, private) pair, written as the provider writes its keys."""
        private = Ed25519PrivateKey.generate()
        public_text = encode_digest(private.public_key().public_bytes_raw(), self.key_encoding)
        private_text = encode_digest(private.private_bytes_raw(), self.key_encoding)
        return self.public_prefix + public_text, self.private_prefix + private_text

    def size(self, request: InboundRequest) -> int:
        """Return how many bytes a signature has."""
        return _SIGNATURE_BYTES

    def made(self, signatures: Sequence[bytes], content: bytes, key: str, request: InboundRequest) -> bool:
        """Try the signatures one by one."""
        public = self._public(key)
        return any(_verifies(public, signature, content) for signature in signatures)

    def make(self, content: bytes, key: str, request: InboundRequest) -> bytes:
        """Return the signature made with the private ``key``."""
        seed = decode_key(key.removeprefix(self.private_prefix), self.key_encoding)
        return Ed25519PrivateKey.from_private_bytes(seed).sign(content)

    def _public(self, key: str) -> Ed25519PublicKey:
        if not key.strip():
            raise ValueError("The public key is empty; an empty one proves nothing.")
        raw = decode_key(key.removeprefix(self.public_prefix), self.key_encoding)
        if len(raw) != _KEY_BYTES:
            raise ValueError(f"A public key has {_KEY_BYTES} bytes, this has {len(raw)}; was it pasted whole?")
        if raw[:-1] + bytes([raw[-1] & 0x7F]) in _SMALL_ORDER:
            raise ValueError("Under this public key anyone can sign; it is not the provider's.")
        return Ed25519PublicKey.from_public_bytes(raw)


def _verifies(public: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        public.verify(signature, content)
    except InvalidSignature:
        return False
    return True
