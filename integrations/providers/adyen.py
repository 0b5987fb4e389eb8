"""Adyen's payment webhooks: https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures/.

The signature is in the body, one for each item, over eight of its fields.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from integrations import payloads
from integrations.contracts import InboundRequest, Sample
from integrations.errors import MalformedPayload
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification.base import Scheme, usable
from integrations.verification.reasons import Reason, unproven
from integrations.verification.texts import decode_digest, decode_key, encode_digest

_DIGEST_BYTES = 32
#: Adyen sends up to six.
MAX_ITEMS = 50
_PLACE = "additionalData.hmacSignature"
_FIELDS = (
    "pspReference",
    "originalReference",
    "merchantAccountCode",
    "merchantReference",
    "amount.value",
    "amount.currency",
    "eventCode",
    "success",
)
_ID = "join('.', [pspReference, eventCode, to_string(success)])"


@dataclass(frozen=True)
class SignedItems(Scheme):
    """An HMAC in every item of the body; all have to be made with one secret."""

    kind = "hmac"

    def check_key(self, key: str) -> None:
        """Refuse what is not hexadecimal."""
        if not key.strip():
            raise ValueError("The secret is empty; an empty one proves nothing.")
        decode_key(key, "hex")

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that signed every item; raises `VerificationFailed`."""
        candidates = usable(keys, self.check_key)
        items = _items(request)
        signatures = [_signature(item) for item in items]
        for index, key in candidates:
            pairs = zip(items, signatures, strict=True)
            if all(hmac.compare_digest(_digest(item, key), signature) for item, signature in pairs):
                return index
        raise unproven(Reason.SIGNATURE_MISMATCH, signatures=len(items), secrets=len(candidates))

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with a signature in every item; a body that is none of Adyen's stays as it is."""
        payload = _decoded(request)
        for item in _items_in(payload):
            signature = encode_digest(_digest(item, key), "base64")
            more = item.get("additionalData")
            item["additionalData"] = {**(more if isinstance(more, dict) else {}), "hmacSignature": signature}
        if not _items_in(payload):
            return request
        return replace(request, body=json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode())


def _decoded(request: InboundRequest) -> Any:
    try:
        return payloads.decode("application/json", request.body)
    except MalformedPayload:
        return None


def _items_in(payload: Any) -> list[dict[str, Any]]:
    """Return the items; none unless every entry of the list is one."""
    entries = payload.get("notificationItems") if isinstance(payload, dict) else None
    if not isinstance(entries, list):
        return []
    items = [entry.get("NotificationRequestItem") if isinstance(entry, dict) else None for entry in entries]
    found = [item for item in items if isinstance(item, dict)]
    return found if len(found) == len(items) else []


def _items(request: InboundRequest) -> list[dict[str, Any]]:
    items = _items_in(_decoded(request))
    if not items:
        raise unproven(Reason.BODY_NOT_SIGNED)
    if len(items) > MAX_ITEMS:
        raise unproven(Reason.TOO_MANY_SIGNATURES, signatures=len(items), allowed=MAX_ITEMS)
    return items


def _signature(item: Mapping[str, Any]) -> bytes:
    more = item.get("additionalData")
    text = more.get("hmacSignature") if isinstance(more, dict) else None
    if not text:
        raise unproven(Reason.SIGNATURE_MISSING, header=_PLACE)
    signature = decode_digest(text, "base64", _DIGEST_BYTES) if isinstance(text, str) else None
    if signature is None:
        raise unproven(Reason.SIGNATURE_UNDECODABLE, header=_PLACE, expected=f"<{_DIGEST_BYTES} bytes as base64>")
    return signature


def _digest(item: Mapping[str, Any], key: str) -> bytes:
    text = ":".join(_field(item, path) for path in _FIELDS)
    return hmac.digest(decode_key(key, "hex"), text.encode("utf-8", "surrogatepass"), "sha256")


def _field(item: Mapping[str, Any], path: str) -> str:
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        value = "true" if value else "false"
    text = str(value) if isinstance(value, str | int) else ""
    # With colons in the merchant's own text alone, what was signed can be read in one way only.
    if ":" in text and path != "merchantReference":
        raise unproven(Reason.BODY_NOT_SIGNED)
    return text


def _json(_: str, body: bytes) -> Any:
    """Return the JSON that was judged, whatever the content type says: that is not signed."""
    return payloads.decode("application/json", body)


def _sample(event_type: str, event_id: str) -> Sample:
    item = {
        "additionalData": {},
        "amount": {"currency": "EUR", "value": 1130},
        "eventCode": event_type or "AUTHORISATION",
        "eventDate": datetime.now(UTC).isoformat(timespec="seconds"),
        "merchantAccountCode": "YOUR_MERCHANT_ACCOUNT",
        "merchantReference": "YOUR_MERCHANT_REFERENCE",
        "paymentMethod": "ideal",
        "pspReference": event_id,
        "success": "true",
    }
    return json_sample({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})


providers.register("adyen")(
    Provider(
        name="Adyen",
        documentation_url="https://docs.adyen.com/development-resources/webhooks/secure-webhooks/"
        "verify-hmac-signatures/",
        scheme=SignedItems(),
        decoder=_json,
        # A request with several items has no id of its own: the body decides. The outcome belongs to the id: Adyen
        # corrects it under the same reference.
        event_id=(f"body:!(notificationItems[1]) && notificationItems[0].NotificationRequestItem.{_ID}",),
        event_type=("body:notificationItems[0].NotificationRequestItem.eventCode",),
        batch="notificationItems[].NotificationRequestItem",
        item_event_id=(f"body:{_ID}",),
        item_event_type=("body:eventCode",),
        sensitive_fields=("notificationItems[].NotificationRequestItem.additionalData.hmacSignature",),
        secret_help="Customer Area, Developers, Webhooks, your webhook, Security: HMAC key (64 hex digits).",
        deadline_seconds=10,
        retries="For days, with growing pauses.",
        not_covered="All but the references, the merchant account, amount, eventCode and success of each item.",
        sample=_sample,
    )
)
