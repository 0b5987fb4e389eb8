"""ECDSA signatures over P-256: the provider keeps the private key, the operator pastes the public one.

https://www.rfc-editor.org/rfc/rfc6979, with the signature as DER (https://www.rfc-editor.org/rfc/rfc3279#section-2.2.3).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from integrations.contracts import InboundRequest
from integrations.verification.layouts import Parsed
from integrations.verification.reasons import Reason, unproven
from integrations.verification.signature import SignatureScheme
from integrations.verification.texts import Encoding as TextEncoding
from integrations.verification.texts import decode_key

#: A sequence of two numbers of up to 33 bytes.
_MOST_BYTES = 72
_ECDSA_SHA256 = ec.ECDSA(SHA256())


@dataclass(frozen=True, kw_only=True)
class Ecdsa(SignatureScheme):
    """An ECDSA signature (P-256, SHA-256) over a template of the request, as DER in base64.

    The secret is the public key: a SubjectPublicKeyInfo in base64, with or without the lines of PEM around it. `sign`
    takes the private one, as `new_pair` returns it: PKCS #8 in base64.
    """

    kind = "ecdsa"
    symmetric = False

    encoding: TextEncoding = "base64"

    def check_key(self, key: str) -> None:
        """Refuse what is not a public key on the curve P-256."""
        self._public(key)

    def new_pair(self) -> tuple[str, str]:
        """Return a new (public, private) pair."""
        private = ec.generate_private_key(ec.SECP256R1())
        public_bytes = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        private_bytes = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return base64.b64encode(public_bytes).decode("ascii"), base64.b64encode(private_bytes).decode("ascii")

    def size(self, request: InboundRequest) -> int:
        """Return how many bytes a signature has at most."""
        return _MOST_BYTES

    def made(self, signatures: Sequence[bytes], content: bytes, key: str, request: InboundRequest) -> bool:
        """Try the signatures one by one."""
        public = self._public(key)
        return any(_verifies(public, signature, content) for signature in signatures)

    def make(self, content: bytes, key: str, request: InboundRequest) -> bytes:
        """Return the signature made with the private ``key``."""
        private = load_der_private_key(decode_key(key, "base64"), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("This is no private key of an elliptic curve.")
        return private.sign(content, _ECDSA_SHA256)

    def _decoded(self, parsed: Parsed, request: InboundRequest) -> list[bytes]:
        signatures = [der for text in parsed.signatures if (der := _der(text)) is not None]
        if not signatures:
            expected = self.layout.format(f"<up to {_MOST_BYTES} bytes as base64>", "<timestamp>")
            raise unproven(Reason.SIGNATURE_UNDECODABLE, header=self.headers[0], expected=expected)
        return signatures

    def _public(self, key: str) -> ec.EllipticCurvePublicKey:
        text = "".join(line for line in key.split("\n") if not line.startswith("-----"))
        text = "".join(text.split())
        if not text:
            raise ValueError("The public key is empty; an empty one proves nothing.")
        try:
            public = load_der_public_key(decode_key(text, "base64"))
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("This is not a public key in base64; was it pasted whole?") from None
        if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
            raise ValueError("This is not a public key on the curve P-256.")
        return public


def _der(text: str) -> bytes | None:
    """Return the bytes that ``text`` spells, if it is their one correct spelling and no longer than a signature is."""
    if len(text) > 2 * _MOST_BYTES or not text.isascii():
        return None
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return der if 0 < len(der) <= _MOST_BYTES and base64.b64encode(der).decode("ascii") == text else None


def _verifies(public: ec.EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    try:
        public.verify(signature, content, _ECDSA_SHA256)
    except InvalidSignature:
        return False
    return True
