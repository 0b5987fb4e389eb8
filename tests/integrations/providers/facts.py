"""What each preset promises, as data: the inherited security suite reads it. A preset without facts fails the run."""

from __future__ import annotations

import base64
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from integrations.contracts import InboundRequest
from integrations.providers import providers
from integrations.verification import Scheme
from tests.integrations.providers import families
from tests.integrations.requests import content_type_of, make_request, payload

WHSEC = "whsec_" + base64.b64encode(b"a key of exactly thirty-two byte").decode()
ANY_FUTURE = -1
OTHER_WHSEC = "whsec_" + base64.b64encode(b"another key of thirty-two bytes.").decode()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One preset under one set of settings.

    ``secret`` and ``other_secret`` are "" for asymmetric schemes: the suite makes key pairs. ``tolerance_seconds`` is
    None where no timestamp is signed. ``event_id`` and ``event_type`` are what the example is described as.
    """

    provider: str
    file: str
    case: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str = "correct horse battery staple"
    other_secret: str = "incorrect horse battery staple"
    tolerance_seconds: int | None = None
    #: How far ahead of the arrival the timestamp may be; None: as far as behind it. `ANY_FUTURE`: without end.
    future_seconds: int | None = None
    covers_body: bool = True
    covers_url: bool = False
    open: bool = False
    #: Where in a JSON body the proof stands, and the time that it covers; () where they are in headers or the query.
    proof_path: tuple[str | int, ...] = ()
    timestamp_path: tuple[str | int, ...] = ()
    #: Where the body is no JSON, or holds several proofs: an expression whose one group is the proof, all of it what
    #: goes when the proof goes, how a text is escaped there, and changes (from, to) that the proof minds or does not.
    proof_pattern: str = ""
    proof_escape: Callable[[str], str] = str
    covered: Sequence[tuple[str, str]] = ()
    not_covered: Sequence[tuple[str, str]] = ()
    event_id: str = ""
    event_type: str = ""

    @property
    def name(self) -> str:
        return "".join(word.title() for word in f"{self.provider}_{self.case}".split("_"))

    def scheme(self) -> Scheme:
        return providers[self.provider].scheme_for(self.settings)

    def request(self) -> InboundRequest:
        return make_request(payload(self.file), headers=self.headers, content_type=content_type_of(self.file))


GITHUB_HEADERS = {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
GITLAB_HEADERS = {
    "X-Gitlab-Event": "Push Hook",
    "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
    "Idempotency-Key": "f5b7a3c2-4a1e-4bb7-9c0f-2a8d1f0e6c11",
}

ALL: list[Facts] = [
    Facts(provider="generic_hmac", file="generic/order.json"),
    Facts(
        provider="generic_hmac",
        case="with_every_setting",
        file="generic/order.json",
        settings={
            "header": "X-Shop-Signature",
            "algorithm": "sha512",
            "encoding": "base64",
            "prefix": "hmac-sha512=",
            "template": "{method}\n{url}\n{id}.{timestamp}.{header:X-Nonce}.{body}",
            "timestamp_header": "X-Shop-Time",
            "timestamp_unit": "iso8601",
            "tolerance_seconds": 60,
            "event_id": "header:X-Shop-Id",
            "event_type": "body:type",
        },
        headers={"X-Shop-Id": "shop-1", "X-Nonce": "n0nce"},
        tolerance_seconds=60,
        covers_url=True,
        event_id="shop-1",
        event_type="order.paid",
    ),
    Facts(
        provider="generic_hmac",
        case="in_milliseconds",
        file="generic/order.json",
        settings={
            "encoding": "base64url",
            "algorithm": "sha1",
            "template": "{timestamp}:{body_sha256}",
            "timestamp_header": "X-Time",
            "timestamp_unit": "ms",
            "event_id": "body:id",
        },
        tolerance_seconds=300,
        event_id="7f3d",
    ),
    Facts(
        provider="generic_token",
        file="generic/order.json",
        settings={"event_id": "body:id", "event_type": "body:type"},
        covers_body=False,
        event_id="7f3d",
        event_type="order.paid",
    ),
    Facts(
        provider="generic_token",
        case="as_bearer",
        file="generic/order.json",
        settings={"placement": "bearer"},
        covers_body=False,
    ),
    Facts(
        provider="generic_token",
        case="in_query",
        file="generic/order.json",
        settings={"placement": "query", "header": "key"},
        secret="plus + & percent % ümlaut",
        covers_body=False,
    ),
    Facts(provider="generic_bearer", file="generic/order.json", secret="grün-token", covers_body=False),
    Facts(
        provider="generic_basic",
        file="generic/order.json",
        secret="hook:pässword:with colon",
        other_secret="hook:other",
        covers_body=False,
    ),
    Facts(provider="generic_none", file="generic/order.json", open=True),
    Facts(provider="internal", file="generic/order.json", open=True),
    Facts(
        provider="github",
        file="github/pull_request.opened.json",
        headers=GITHUB_HEADERS,
        event_id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        event_type="pull_request.opened",
    ),
    Facts(
        provider="github",
        case="push",
        file="github/push.json",
        headers={**GITHUB_HEADERS, "X-GitHub-Event": "push"},
        event_id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
        event_type="push",
    ),
    Facts(
        provider="stripe",
        file="stripe/payment_intent.succeeded.json",
        secret="whsec_test_secret",
        other_secret="whsec_other_secret",
        tolerance_seconds=300,
        event_id="evt_1NG8Du2eZvKYlo2CUI79vXWy",
        event_type="payment_intent.succeeded",
    ),
    Facts(
        provider="slack",
        file="slack/app_mention.json",
        tolerance_seconds=300,
        event_id="Ev123ABC456",
        event_type="app_mention",
    ),
    Facts(
        provider="slack",
        case="slash_command",
        file="slack/slash_command.form",
        tolerance_seconds=300,
        event_id="398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        event_type="slash_command",
    ),
    Facts(
        provider="slack",
        case="interaction",
        file="slack/block_actions.form",
        tolerance_seconds=300,
        event_id="12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        event_type="block_actions",
    ),
    Facts(
        provider="shopify",
        file="shopify/orders_create.json",
        headers={"X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"},
        event_id="b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        event_type="orders/create",
    ),
    Facts(
        provider="standard_webhooks",
        file="standard_webhooks/contact.created.json",
        headers={"webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"},
        secret=WHSEC,
        other_secret=OTHER_WHSEC,
        tolerance_seconds=300,
        event_id="msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        event_type="contact.created",
    ),
    Facts(
        provider="standard_webhooks",
        case="asymmetric",
        file="standard_webhooks/contact.created.json",
        settings={"asymmetric": True},
        headers={"webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"},
        secret="",
        other_secret="",
        tolerance_seconds=300,
        event_id="msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        event_type="contact.created",
    ),
    Facts(
        provider="svix",
        file="standard_webhooks/contact.created.json",
        headers={"svix-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"},
        secret=WHSEC,
        other_secret=OTHER_WHSEC,
        tolerance_seconds=300,
        event_id="msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        event_type="contact.created",
    ),
    Facts(
        provider="gitlab",
        file="gitlab/push.json",
        headers=GITLAB_HEADERS,
        covers_body=False,
        event_id="f5b7a3c2-4a1e-4bb7-9c0f-2a8d1f0e6c11",
        event_type="Push Hook",
    ),
    Facts(
        provider="gitlab",
        case="signing_token",
        file="gitlab/push.json",
        settings={"mode": "signing_token"},
        headers={**GITLAB_HEADERS, "webhook-id": "f5b7a3c2-4a1e-4bb7-9c0f-2a8d1f0e6c11"},
        secret=WHSEC,
        other_secret=OTHER_WHSEC,
        tolerance_seconds=300,
        event_id="f5b7a3c2-4a1e-4bb7-9c0f-2a8d1f0e6c11",
        event_type="Push Hook",
    ),
    Facts(
        provider="twilio",
        file="twilio/message.received.form",
        headers={"I-Twilio-Idempotency-Token": "f5b7a3c2-4a1e"},
        covers_url=True,
        event_id="f5b7a3c2-4a1e",
        event_type="message.received",
    ),
    Facts(
        provider="twilio",
        case="json",
        file="generic/order.json",
        headers={"I-Twilio-Idempotency-Token": "f5b7a3c2-4a1f"},
        covers_url=True,
        event_id="f5b7a3c2-4a1f",
    ),
    Facts(
        provider="discord",
        file="discord/interaction.json",
        secret="",
        other_secret="",
        tolerance_seconds=600,
        event_id="786008729715212338",
        event_type="2",
    ),
    Facts(
        provider="discord",
        case="events",
        file="discord/application_authorized.json",
        settings={"mode": "events"},
        secret="",
        other_secret="",
        tolerance_seconds=600,
        event_type="APPLICATION_AUTHORIZED",
    ),
    Facts(
        provider="meta",
        file="meta/whatsapp_message.json",
        settings={"verify_token": "made-up"},
        event_type="whatsapp_business_account.messages",
    ),
    Facts(provider="meta", case="messenger", file="meta/messenger_message.json", event_type="page.messaging"),
]


def _of_families() -> list[Facts]:
    """Return the facts of every module in ``families``, which imports `Facts` from here."""
    modules = (import_module(f"{families.__name__}.{found.name}") for found in pkgutil.iter_modules(families.__path__))
    return [facts for module in modules for facts in module.FACTS]


ALL += _of_families()
