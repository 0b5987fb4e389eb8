"""RSA signatures under a certificate whose address the request names: PayPal's header, SNS's fields in the body.

The address has to fit the preset's pattern, or to be one under which the operator pasted the certificate. That the
certificate is the provider's follows from TLS to the pinned host; its own chain is not walked, its dates are checked.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from integrations.contracts import InboundRequest
from integrations.verification.base import Scheme, usable
from integrations.verification.reasons import Reason, unproven
from integrations.verification.remote_keys import (
    RemoteDocuments,
    check_certificates,
    documents,
    load_certificate,
    pasted_first,
    private_pem,
    split_identity,
)
from integrations.verification.texts import with_headers

_MAX_SIGNATURE = 1024
_VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_VALID_UNTIL = datetime(2120, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Signed:
    """What a request says of its own signature: who made it, over what."""

    address: str
    signature: bytes
    content: bytes
    algorithm: hashes.HashAlgorithm


@dataclass(frozen=True, kw_only=True)
class CertificateScheme(Scheme):
    """An RSA signature (PKCS #1 v1.5) under the certificate at an address that fits ``pinned``.

    ``certs`` are certificates that the operator pasted, by address; with any, nothing is fetched. The secret says for
    whom the events are; a certificate pasted below it is the only one that counts for it.
    """

    kind = "rsa"
    symmetric = False

    pinned: re.Pattern[str]
    certs: Mapping[str, str] = field(default_factory=dict)
    source: RemoteDocuments = field(default=documents, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_certificates(self.certs)

    @property
    def covers_body(self) -> bool:
        """True."""
        return True

    def check_key(self, key: str) -> None:
        """Refuse an empty secret, and a certificate that is none."""
        identity, pem = split_identity(key)
        if not identity:
            raise ValueError("The secret is empty; an empty one proves nothing.")
        if not pem:
            self.check_identity(identity)
        else:
            check_certificates({"certificate": pem})

    @abstractmethod
    def check_identity(self, identity: str) -> None:
        """Raise ValueError if ``identity`` cannot be one of this provider's."""

    @abstractmethod
    def new_identity(self) -> str:
        """Return an identity for test events."""

    @abstractmethod
    def read(self, request: InboundRequest, identity: str) -> Signed:
        """Return what was signed, if it was for ``identity``; raises `VerificationFailed`."""

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that the signature is for; raises `VerificationFailed`."""
        candidates = usable(keys, self.check_key)
        mismatch = Reason.SIGNATURE_MISMATCH
        for index, key in pasted_first(candidates):
            identity, pem = split_identity(key)
            signed = self.read(request, identity)
            if not _verifies(self._certificate(signed.address, pem, request.received_at), signed):
                continue
            if self.is_for(request, identity):
                return index
            mismatch = Reason.TOPIC_MISMATCH
        raise unproven(mismatch, secrets=len(candidates))

    def is_for(self, request: InboundRequest, identity: str) -> bool:
        """Return whether the proven request is for ``identity`` and no other."""
        return True

    def new_pair(self) -> tuple[str, str]:
        """Return a new self-signed certificate and its private key, each below an identity for test events."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test events")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_VALID_FROM)
            .not_valid_after(_VALID_UNTIL)
            .sign(private, hashes.SHA256())
        )
        identity = self.new_identity()
        public = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return f"{identity}\n{public}", f"{identity}\n{private_pem(private)}"

    def _certificate(self, address: str, pem: str, arrival: datetime) -> rsa.RSAPublicKey:
        if not pem and address in self.certs:
            pem = self.certs[address]
        if not pem and not self.pinned.fullmatch(address):
            raise unproven(Reason.KEY_ADDRESS_REFUSED)
        if not pem and self.certs:
            raise unproven(Reason.KEY_UNKNOWN)
        try:
            certificate = load_certificate(pem or self.source.get(address, by_stranger=True).decode("ascii"))
        except ValueError:
            raise unproven(Reason.CERTIFICATE_UNUSABLE) from None
        if not certificate.not_valid_before_utc <= arrival <= certificate.not_valid_after_utc:
            raise unproven(Reason.CERTIFICATE_UNUSABLE, valid_until=certificate.not_valid_after_utc.isoformat())
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)  # noqa: S101 - `load_certificate` returns no other
        return key


@dataclass(frozen=True, kw_only=True)
class TransmissionSignature(CertificateScheme):
    """PayPal: id, time, webhook id and the body's CRC-32, signed with RSA and SHA-256.

    https://developer.paypal.com/api/rest/webhooks/rest/
    """

    prefix: str = "PAYPAL"
    algorithm_name: str = "SHA256withRSA"

    @property
    def proof_headers(self) -> frozenset[str]:
        """The signature's header."""
        return frozenset({f"{self.prefix}-transmission-sig".lower()})

    @property
    def covered_headers(self) -> frozenset[str]:
        """The transmission's id and time."""
        return frozenset({f"{self.prefix}-transmission-id".lower(), f"{self.prefix}-transmission-time".lower()})

    def check_identity(self, identity: str) -> None:
        """Refuse what cannot be a webhook id."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", identity):
            raise ValueError("A webhook id is letters and digits, such as 8PT597110X687430LKGECATA.")

    def new_identity(self) -> str:
        """Return a webhook id that PayPal did not give."""
        return f"hub-test-{uuid4().hex}"

    def read(self, request: InboundRequest, identity: str) -> Signed:
        """Return the parts that the headers name."""
        signature = request.headers.get(f"{self.prefix}-Transmission-Sig", "")
        if not signature:
            raise unproven(Reason.SIGNATURE_MISSING, header=f"{self.prefix}-Transmission-Sig")
        if request.headers.get(f"{self.prefix}-Auth-Algo") != self.algorithm_name:
            raise unproven(Reason.ALGORITHM_UNKNOWN, header=f"{self.prefix}-Auth-Algo")
        parts = [self._part(request, name) for name in ("Transmission-Id", "Transmission-Time")]
        # A bar inside a part would let one signature fit two readings.
        if any("|" in part for part in parts):
            raise unproven(Reason.SIGNED_HEADER_MISSING, header=f"{self.prefix}-Transmission-Id")
        content = "|".join([*parts, identity, str(zlib.crc32(request.body))])
        return Signed(
            self._part(request, "Cert-Url"), _decoded(signature), content.encode("utf-8", "replace"), hashes.SHA256()
        )

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with PayPal's headers."""
        identity, pem = split_identity(key)
        transmission = request.headers.get(f"{self.prefix}-Transmission-Id") or str(uuid4())
        moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = f"{transmission}|{moment}|{identity}|{zlib.crc32(request.body)}".encode()
        headers = {
            "Transmission-Id": transmission,
            "Transmission-Time": moment,
            "Transmission-Sig": _signature(pem, content, hashes.SHA256()),
            "Cert-Url": "https://api.paypal.com/v1/notifications/certs/CERT-hub-test-events",
            "Auth-Algo": self.algorithm_name,
        }
        return with_headers(request, {f"{self.prefix}-{name}": text for name, text in headers.items()})

    def _part(self, request: InboundRequest, name: str) -> str:
        text = request.headers.get(f"{self.prefix}-{name}", "")
        if not text:
            raise unproven(Reason.SIGNED_HEADER_MISSING, header=f"{self.prefix}-{name}")
        return text


#: The signed fields of each kind of message, in order; Subject only where there is one.
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED_FIELDS: dict[str, tuple[str, ...]] = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_VERSIONS: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - Amazon's default
_ARN = re.compile(r"arn:aws(?:-[a-z-]+)?:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
_PLACE = "body Signature"


@dataclass(frozen=True, kw_only=True)
class TopicSignature(CertificateScheme):
    """Amazon SNS: named fields of a JSON body, signed under a certificate of the region's host.

    ``topic`` stands in for a secret that is no topic. The signature covers neither how the body is spelled nor fields
    besides the named ones.
    https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    """

    topic: str = ""

    def check_identity(self, identity: str) -> None:
        """Refuse what is no topic, and another topic than the one in the settings."""
        if _ARN.fullmatch(identity):
            if self.topic not in {"", identity}:
                raise ValueError("The secret is another topic than topic_arn in the endpoint's settings.")
        elif not self.topic or identity.startswith("arn:"):
            raise ValueError("A topic is written like arn:aws:sns:eu-west-1:123456789012:my-topic.")

    def new_identity(self) -> str:
        """Return a topic of nobody's."""
        return f"arn:aws:sns:us-east-1:000000000000:hub-test-{uuid4().hex}"

    def read(self, request: InboundRequest, identity: str) -> Signed:
        """Return the fields of the body."""
        message = message_of(request.body)
        signature = _text(message, "Signature")
        if not signature:
            raise unproven(Reason.SIGNATURE_MISSING, place=_PLACE)
        version, kind = _text(message, "SignatureVersion"), _text(message, "Type")
        if version not in _VERSIONS:
            raise unproven(Reason.ALGORITHM_UNKNOWN, place="body SignatureVersion")
        if kind not in _SIGNED_FIELDS:
            raise unproven(Reason.BODY_NOT_SIGNED, place="body Type")
        content = signed_text(message).encode("utf-8", "surrogatepass")
        return Signed(_text(message, "SigningCertURL"), _decoded(signature), content, _VERSIONS[version])

    def is_for(self, request: InboundRequest, identity: str) -> bool:
        """Return whether it is the topic's own message."""
        expected = identity if _ARN.fullmatch(identity) else self.topic
        return _text(message_of(request.body), "TopicArn") == expected

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with topic, time and signature in its body, which has to be a JSON object."""
        identity, pem = split_identity(key)
        message = {
            "Type": "Notification",
            "MessageId": str(uuid4()),
            "Message": "",
            **message_of(request.body),
            "TopicArn": identity,
            "Timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "SignatureVersion": "2",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-hub-test-events.pem",
        }
        content = signed_text(message).encode("utf-8", "surrogatepass")
        message["Signature"] = _signature(pem, content, hashes.SHA256())
        return replace(request, body=json.dumps(message).encode())


def message_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object in ``body``; {} if there is none. A field that comes twice makes it none."""
    try:
        found = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def signed_text(message: Mapping[str, Any]) -> str:
    """Return the text that SNS signs: of each field of the message's kind its name and value, a line each."""
    names = _SIGNED_FIELDS.get(_text(message, "Type"), ())
    return "".join(f"{name}\n{_text(message, name)}\n" for name in names if name != "Subject" or _text(message, name))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field comes twice")
    return found


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _decoded(text: str) -> bytes:
    """Return the bytes of base64 in its one correct spelling; raises `VerificationFailed`."""
    try:
        raw = base64.b64decode(text, validate=True) if len(text) <= _MAX_SIGNATURE else b""
    except ValueError:
        raw = b""
    if not raw or base64.b64encode(raw).decode() != text:
        raise unproven(Reason.SIGNATURE_UNDECODABLE, expected="base64")
    return raw


def _verifies(key: rsa.RSAPublicKey, signed: Signed) -> bool:
    try:
        key.verify(signed.signature, signed.content, padding.PKCS1v15(), signed.algorithm)
    except InvalidSignature:
        return False
    return True


def _signature(pem: str, content: bytes, algorithm: hashes.HashAlgorithm) -> str:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - `new_pair` makes no other
    return base64.b64encode(key.sign(content, padding.PKCS1v15(), algorithm)).decode()
