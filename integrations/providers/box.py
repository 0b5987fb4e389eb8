"""Box, v2 webhooks: https://developer.box.com/guides/webhooks/v2/signatures-v2.

Box signs with two keys, each in a header of its own, so that they can be changed one after the other. Its own library
refuses any timestamp in the future; the hub lets a clock be five seconds ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from integrations.contracts import InboundRequest, Sample
from integrations.errors import ReferenceMissing, VerificationFailed
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.references import resolve
from integrations.verification import Hmac, Reason, Scheme, Timestamp


@dataclass(frozen=True, kw_only=True)
class TwoKeys(Hmac):
    """The endpoint's secrets prove the first header, ``second_secret`` the second; without it they prove either."""

    second_secret: str = field(default="", repr=False)

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the key's index; of a request that ``second_secret`` proves, the first's."""
        if not self.second_secret:
            return super().verify(request, keys)
        primary, secondary = (replace(self, headers=(name,), second_secret="") for name in self.headers)
        try:
            return primary.verify(request, keys)
        except VerificationFailed as refusal:
            if refusal.reason not in _OF_THE_FIRST_HEADER or not request.headers.get(self.headers[1]):
                raise
        return secondary.verify(request, [self.second_secret])


_OF_THE_FIRST_HEADER = {Reason.SIGNATURE_MISSING, Reason.SIGNATURE_UNDECODABLE, Reason.SIGNATURE_MISMATCH}


def _scheme(settings: Settings) -> Scheme:
    try:
        second = resolve(settings.get("second_secret", ""))
    except ReferenceMissing as exc:
        raise ValueError(f"second_secret: {exc}") from exc
    return TwoKeys(
        headers=("BOX-SIGNATURE-PRIMARY", "BOX-SIGNATURE-SECONDARY"),
        encoding="base64",
        template="{body}{timestamp}",
        timestamp=Timestamp(
            headers=("BOX-DELIVERY-TIMESTAMP",), unit="iso8601", tolerance_seconds=600, future_seconds=5
        ),
        required=(("BOX-SIGNATURE-VERSION", "1"), ("BOX-SIGNATURE-ALGORITHM", "HmacSHA256")),
        second_secret=second,
    )


def _sample(event_type: str, event_id: str) -> Sample:
    return json_sample(
        {
            "type": "webhook_event",
            "id": event_id,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "trigger": event_type or "FILE.UPLOADED",
            "webhook": {"id": "53", "type": "webhook"},
            "created_by": {"type": "user", "id": "226067247", "name": "John"},
            "source": {"id": "73835521473", "type": "file", "name": "A test event from the hub.txt"},
            "additional_info": {},
        }
    )


providers.register("box")(
    Provider(
        name="Box",
        documentation_url="https://developer.box.com/guides/webhooks/v2/signatures-v2",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "second_secret": {
                    "type": "string",
                    "title": "Secondary key",
                    "description": "Developer Console, your app, Webhooks, Manage signature keys: Secondary Key, which "
                    "signs the second header; or a reference (env:HUB_SECRET_NAME or file:NAME). Without it the "
                    "endpoint's secrets count for both headers.",
                    "writeOnly": True,
                    "minLength": 1,
                    "maxLength": 200,
                }
            }
        ),
        event_id=("body:id",),
        event_type=("body:trigger",),
        secret_help="Developer Console, your app, Webhooks, Manage signature keys: Primary Key.",
        deadline_seconds=30,
        retries="Ten tries with growing waits.",
        sample=_sample,
    )
)
