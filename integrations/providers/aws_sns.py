"""Amazon SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html.

JSON under text/plain. With raw message delivery SNS signs nothing, so such messages are refused. A subscription's
confirmation is the one handshake that needs a request of the hub's own: only after the signature, only for the
endpoint's topic, only to the region's SNS host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog

from integrations.contracts import InboundRequest, Sample
from integrations.errors import HubError, KeysUnavailable
from integrations.payloads import decode
from integrations.providers import Answer, Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification.certificates import TopicSignature
from integrations.verification.reasons import Reason, malformed
from integrations.verification.remote_keys import fetch_document

_HOST = r"sns\.[a-z]{2}(?:-[a-z]+){1,3}-[0-9]\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE = re.compile(rf"https://{_HOST}/[A-Za-z0-9_-]{{1,100}}\.pem", re.ASCII)
_CONFIRMATION = re.compile(rf"https://{_HOST}/\?[\x21-\x7e]{{1,2000}}", re.ASCII)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Subscription:
    """The signed ``SubscriptionConfirmation``: its ``SubscribeURL`` is called, if it is SNS's and for that topic."""

    fetch: Callable[[str], bytes] = fetch_document
    pinned: re.Pattern[str] = _CONFIRMATION
    methods: frozenset[str] = field(default=frozenset(), init=False)

    def unsigned(self, request: InboundRequest, settings: Settings) -> Answer | None:
        """Return None: this handshake is signed."""
        return None

    def signed(self, request: InboundRequest, payload: Any, settings: Settings) -> Answer | None:
        """Confirm, and return an empty answer; raises `MalformedPayload`, or `KeysUnavailable` so that SNS retries."""
        if not isinstance(payload, Mapping) or payload.get("Type") != "SubscriptionConfirmation":
            return None
        url = payload.get("SubscribeURL")
        if not isinstance(url, str) or not self.pinned.fullmatch(url) or not _is_for(url, payload):
            raise malformed(Reason.CHALLENGE_UNREADABLE, place="SubscribeURL")
        try:
            self.fetch(url)
        except HubError as exc:
            log.warning("sns.subscription_not_confirmed", topic=payload.get("TopicArn"), error_type=type(exc).__name__)
            raise KeysUnavailable(Reason.SUBSCRIPTION_NOT_CONFIRMED.value) from exc
        log.info("sns.subscription_confirmed", topic=payload.get("TopicArn"))
        return Answer()


def _is_for(url: str, message: Mapping[str, Any]) -> bool:
    """Return whether ``url`` confirms this very subscription and does nothing else."""
    query = parse_qs(urlsplit(url).query)
    return query == {
        "Action": ["ConfirmSubscription"],
        "TopicArn": [message.get("TopicArn")],
        "Token": [message.get("Token")],
    }


def _scheme(settings: Settings) -> TopicSignature:
    return TopicSignature(pinned=_CERTIFICATE, certs=settings.get("certs", {}), topic=settings.get("topic_arn", ""))


def _decoded(_: str, body: bytes) -> Any:
    return decode("application/json", body)


def _sample(event_type: str, event_id: str) -> Sample:
    message = {"Type": event_type or "Notification", "MessageId": event_id, "Subject": "Test"}
    sample = json_sample(
        {**message, "Message": "A test event from the hub."},
        headers={"x-amz-sns-message-type": event_type or "Notification"},
    )
    return Sample(body=sample.body, headers=sample.headers, content_type="text/plain; charset=UTF-8")


providers.register("aws_sns")(
    Provider(
        name="Amazon SNS",
        documentation_url="https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
        scheme=_scheme,
        recognised_by=("X-Amz-Sns-Message-Type",),  # the proof is in the body
        settings_schema=settings_schema(
            {
                "topic_arn": {
                    "type": "string",
                    "title": "Topic",
                    "description": "The topic's ARN; the same text as the secret, which is enough.",
                    "maxLength": 400,
                },
                "certs": {
                    "type": "object",
                    "title": "Certificates by URL",
                    "description": "SNS's certificates as PEM, each under the URL in SigningCertURL, for a hub that "
                    "cannot reach them. Empty: the hub fetches them, from the SNS hosts of amazonaws.com only.",
                    "additionalProperties": {"type": "string"},
                    "maxProperties": 50,
                },
            }
        ),
        event_id=("body:MessageId",),
        event_type=("body:Type",),
        decoder=_decoded,
        handshake=Subscription(),
        sensitive_fields=("Token", "SubscribeURL"),
        secret_help="The topic's ARN, as the SNS console shows it. Leave raw message delivery off: it is not signed.",
        not_covered="Message attributes and UnsubscribeURL are not covered by the signature.",
        deadline_seconds=15,
        retries="Up to 50 times over some hours after 5xx; not after 4xx.",
        sample=_sample,
    )
)
