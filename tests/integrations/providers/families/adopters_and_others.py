"""Facts of those who sign as Standard Webhooks says, and of providers with ways of their own."""

from __future__ import annotations

from tests.integrations.providers.facts import OTHER_WHSEC, WHSEC, Facts

_ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
_HUBSPOT_ID = "3816279340.25.1462216307945"


def _adopter(provider: str, file: str, event_type: str, *, family: str = "webhook", case: str = "") -> Facts:
    return Facts(
        provider=provider,
        case=case,
        file=f"{provider}/{file}",
        headers={f"{family}-id": _ID},
        secret=WHSEC,
        other_secret=OTHER_WHSEC,
        tolerance_seconds=300,
        event_id=_ID,
        event_type=event_type,
    )


def _hubspot(version: str, *, tolerance_seconds: int | None = None) -> Facts:
    return Facts(
        provider="hubspot",
        case=version,
        file="hubspot/contact.creation.json",
        settings={"version": version},
        tolerance_seconds=tolerance_seconds,
        covers_url=version != "v1",
        event_id=_HUBSPOT_ID,
        event_type="contact.creation",
    )


FACTS: list[Facts] = [
    _adopter("clerk", "user.created.json", "user.created", family="svix"),
    _adopter("resend", "email.delivered.json", "email.delivered", family="svix"),
    _adopter("openai", "response.completed.json", "response.completed"),
    _adopter("replicate", "prediction.json", "starting"),
    _adopter("polar", "order.created.json", "order.created"),
    Facts(
        provider="polar",
        case="text",
        file="polar/order.created.json",
        headers={"webhook-id": _ID},
        secret="polar_whs_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK",
        tolerance_seconds=300,
        event_id=_ID,
        event_type="order.created",
    ),
    _adopter("dodopayments", "payment.succeeded.json", "payment.succeeded"),
    _adopter("supabase_auth", "send_email.json", "signup"),
    Facts(
        provider="supabase_auth",
        case="as_shown",
        file="supabase_auth/send_email.json",
        headers={"webhook-id": _ID},
        secret=f"v1,{WHSEC}",
        other_secret=f"v1,{OTHER_WHSEC}",
        tolerance_seconds=300,
        event_id=_ID,
        event_type="signup",
    ),
    Facts(
        provider="mailgun",
        file="mailgun/delivered.json",
        secret="key-3ax6xnjp29jd6fds4gc373sgvjxteol0",
        tolerance_seconds=900,
        covers_body=False,
        proof_path=("signature", "signature"),
        timestamp_path=("signature", "timestamp"),
        event_id="DACSsAdVSeGpLid7TN03WA",
        event_type="opened",
    ),
    Facts(
        provider="mandrill",
        file="mandrill/click.form",
        covers_url=True,
        event_id="5f8e9d1c2b3a4f5e6d7c8b9a0f1e2d3c.click.1365109999",
        event_type="click",
    ),
    _hubspot("v3", tolerance_seconds=300),
    _hubspot("v2"),
    _hubspot("v1"),
    Facts(
        provider="plivo",
        file="plivo/start_app.form",
        covers_url=True,
        event_id="4d04c52e-cea3-4458-bbdb-0bfc314ee7cd.StartApp",
        event_type="StartApp",
    ),
    Facts(
        provider="docusign",
        file="docusign/envelope-completed.json",
        event_id="dbb7a4c0-4a6a-4d0e-8bb7-3b6f0a7f8d55.envelope-completed.2023-06-09T19:32:44.4730000Z",
        event_type="envelope-completed",
    ),
    Facts(
        provider="contentful",
        file="contentful/entry.publish.json",
        secret="correct-horse-battery-staple-correct-horse-battery-staple-123456",
        other_secret="wrong-horse-battery-staple-incorrect-horse-battery-staple-654321",
        headers={
            "Content-Type": "application/vnd.contentful.management.v1+json",
            "X-Contentful-Topic": "ContentManagement.Entry.publish",
            "X-Contentful-Idempotency-Key": "7b0e1c0f",
        },
        tolerance_seconds=30,
        covers_url=True,
        event_id="7b0e1c0f",
        event_type="ContentManagement.Entry.publish",
    ),
    Facts(
        provider="microsoft_graph",
        file="microsoft_graph/created.json",
        covers_body=False,
        proof_path=("value", 0, "clientState"),
        event_type="created",
    ),
    Facts(
        provider="azure_event_grid",
        file="azure_event_grid/blob_created.json",
        covers_body=False,
        event_id="831e1650-001e-001b-66ab-eeb76e069631",
        event_type="Microsoft.Storage.BlobCreated",
    ),
    Facts(
        provider="azure_event_grid",
        case="cloud_event_in_query",
        file="azure_event_grid/cloud_event.json",
        settings={"placement": "query"},
        headers={"Content-Type": "application/cloudevents+json; charset=utf-8"},
        covers_body=False,
        event_id="9aeb0fdf-c01e-0131-0922-9eb54906e209",
        event_type="Microsoft.Storage.BlobCreated",
    ),
]
