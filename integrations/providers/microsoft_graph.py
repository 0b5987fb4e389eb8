"""Microsoft Graph change notifications: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks.

Each notification shows the clientState that its subscription was made with: a token, not a signature. One request
brings notifications of several subscriptions, and each of them has to show one that is known.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations import payloads
from integrations.contracts import InboundRequest, Sample
from integrations.errors import MalformedPayload
from integrations.providers import Answer, Provider, Settings, providers
from integrations.providers.samples import json_sample
from integrations.verification import Reason, Scheme, unproven
from integrations.verification.base import usable
from integrations.verification.texts import query_parameter

_PLACE = "value[].clientState"
_LONGEST_STATE = 255
# The documentation's own example has spaces and colons; nothing that a page could be made of is echoed.
_VALIDATION_TOKEN = re.compile(r"[\x20-\x3b\x3d\x3f-\x7e]{1,1024}")


class ClientState(Scheme):
    """The secret in every item of ``value``."""

    kind = "token"

    @property
    def shows_key(self) -> bool:
        """True."""
        return True

    def check_key(self, key: str) -> None:
        """Refuse an empty secret, and one that is longer than Microsoft takes."""
        if not key.strip():
            raise ValueError("The client state is empty; an empty one proves nothing.")
        if len(key) > _LONGEST_STATE:
            raise ValueError(f"Microsoft Graph takes a client state of up to {_LONGEST_STATE} characters.")

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index of the key that the first item shows; raises `VerificationFailed` if any shows none."""
        candidates = usable(keys, self.check_key)
        states = _states(request)
        if not states:
            raise unproven(Reason.TOKEN_MISSING, place=_PLACE)
        found = [_index(state, candidates) for state in states]
        if None in found:
            raise unproven(Reason.TOKEN_MISMATCH, secrets=len(candidates))
        return next(index for index in found if index is not None)

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with the secret in every item; raises ValueError for a body that has no items."""
        payload = json.loads(request.body)
        items = _list(payload.get("value")) if isinstance(payload, dict) else []
        if not items or not all(isinstance(item, dict) for item in items):
            raise ValueError("Microsoft Graph sends a list of objects as “value”, and the secret in each of them.")
        payload["value"] = [{**item, "clientState": key} for item in items]
        return replace(request, body=json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode())


def _states(request: InboundRequest) -> list[Any]:
    """Return what every item shows; [] if the body is no list of notifications, or one of them shows nothing."""
    try:
        payload = payloads.decode(request.content_type, request.body)
    except MalformedPayload:
        return []
    items = payload.get("value") if isinstance(payload, Mapping) else None
    states = [item.get("clientState") if isinstance(item, Mapping) else None for item in _list(items)]
    return [] if None in states or "" in states else states


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _index(state: Any, candidates: Sequence[tuple[int, str]]) -> int | None:
    shown = state.encode("utf-8", "surrogatepass") if isinstance(state, str) else b""
    found = None
    for index, key in candidates:
        if hmac.compare_digest(shown, key.encode("utf-8", "surrogatepass")) and found is None:
            found = index
    return found


@dataclass(frozen=True)
class ValidationToken:
    """A POST with ``?validationToken=``, which is echoed as text: when a subscription is made, and carries no proof."""

    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return the token; raises `VerificationFailed` for one that is too long or not plain text."""
        if not any(part.partition("=")[0] == "validationToken" for part in request.query_string.split("&")):
            return None
        token = query_parameter(request, "validationToken")
        if not _VALIDATION_TOKEN.fullmatch(token):
            raise unproven(Reason.CHALLENGE_UNREADABLE)
        return Answer(body=token.encode("ascii"), headers={"X-Content-Type-Options": "nosniff"})

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Return None: what shows the secret is a notification."""
        return None


def _sample(event_type: str, event_id: str) -> Sample:
    notification = {
        "subscriptionId": "76222963-cc7b-42d2-882d-8aaa69cb2ba3",
        "subscriptionExpirationDateTime": (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds"),
        "changeType": event_type or "created",
        "resource": f"Users/ddfcd489-628b-7d04-b48b-20075df800e5/Messages/{event_id}",
        "resourceData": {"@odata.type": "#Microsoft.Graph.Message", "id": event_id},
        "tenantId": "84bd8158-6d4d-4958-8b9f-9d6445542f95",
    }
    return json_sample({"value": [notification]})


providers.register("microsoft_graph")(
    Provider(
        name="Microsoft Graph",
        documentation_url="https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
        scheme=ClientState(),
        # A notification has no id, and two changes of one resource look alike: the body decides.
        event_type=("body:value[0].lifecycleEvent || value[0].changeType",),
        batch="value",
        item_event_type=("body:lifecycleEvent || changeType",),
        handshake=ValidationToken(),
        sensitive_fields=(_PLACE, "validationTokens"),
        secret_help="A text that you make up, up to 255 characters: the clientState of each subscription that you make "
        "with this URL.",
        not_covered="The notification itself; and the JWTs that come with resource data are not judged.",
        deadline_seconds=3,
        retries="For up to 4 hours, with growing pauses.",
        retry_hours=4,
        sample=_sample,
    )
)
