"""Providers that sign as Standard Webhooks or Svix say; each differs in where its secret is found, little else.

Clerk      https://clerk.com/docs/guides/development/webhooks/overview
Resend     https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests
OpenAI     https://platform.openai.com/docs/guides/webhooks
Replicate  https://replicate.com/docs/topics/webhooks/verify-webhook
Polar      https://polar.sh/docs/integrate/webhooks/delivery
Dodo       https://docs.dodopayments.com/developer-resources/webhooks
Supabase   https://supabase.com/docs/guides/auth/auth-hooks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample, unix_seconds
from integrations.providers.standard_webhooks import STANDARD, SVIX

_STANDARD_ID = ("header:Webhook-Id",)
_SVIX_ID = ("header:Svix-Id|Webhook-Id",)


# Polar's key is the secret's text; its own library also takes the bytes of one that is base64 behind whsec_.
_POLAR = replace(STANDARD, key_form="text_or_whsec")


def _sample(
    default_type: str, data: Mapping[str, Any], *, family: str = "Webhook", **more: Any
) -> Callable[[str, str], Sample]:
    """Return a maker of samples of the usual shape: type, data, and what the provider has besides."""

    def sample(event_type: str, event_id: str) -> Sample:
        payload = {"type": event_type or default_type, **more, "data": data}
        return json_sample(payload, {f"{family}-Id": event_id})

    return sample


def _openai_sample(event_type: str, event_id: str) -> Sample:
    payload = {
        "object": "event",
        "id": "evt_685343a1381c819085d44c354e1b330e",
        "type": event_type or "response.completed",
        "created_at": unix_seconds(),
        "data": {"id": "resp_abc123"},
    }
    return json_sample(payload, {"Webhook-Id": event_id})


def _replicate_sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    prediction = {
        "id": "ufawqhfynnddngldkgtslldrkq",
        "version": "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa",
        "created_at": now,
        "completed_at": now,
        "status": event_type or "succeeded",
        "input": {"text": "A test event from the hub."},
        "output": "A test event from the hub.",
        "error": None,
    }
    return json_sample(prediction, {"Webhook-Id": event_id})


def _supabase_sample(event_type: str, event_id: str) -> Sample:
    user = {"id": "8484b834-f29e-4af2-bf42-80644d154f76", "aud": "authenticated", "email": "valid.email@example.com"}
    email = {"email_action_type": event_type or "signup", "token_hash": "7d5b7b1964cf5d388340a7f04f1dbb5eeb6c7b52"}
    return json_sample({"user": user, "email_data": email}, {"Webhook-Id": event_id})


providers.register("clerk")(
    Provider(
        name="Clerk",
        documentation_url="https://clerk.com/docs/guides/development/webhooks/overview",
        scheme=SVIX,
        event_id=_SVIX_ID,
        event_type=("body:type",),
        secret_help="Clerk dashboard, Configure, Webhooks, your endpoint: Signing Secret (whsec_...).",
        deadline_seconds=15,
        retries="8 tries over about 28 hours, each signed anew under the same id.",
        retry_hours=28,
        sample=_sample(
            "user.created",
            {"id": "user_29w83sxmDNGwOuEthce5gg56FcC", "first_name": "Example", "object": "user"},
            family="Svix",
            object="event",
        ),
    )
)
providers.register("resend")(
    Provider(
        name="Resend",
        documentation_url="https://resend.com/docs/dashboard/webhooks/introduction",
        scheme=SVIX,
        event_id=_SVIX_ID,
        event_type=("body:type",),
        secret_help="Resend dashboard, Webhooks, your webhook: Signing Secret (whsec_...).",
        deadline_seconds=15,
        retries="8 tries over about 28 hours, each signed anew under the same id.",
        retry_hours=28,
        sample=_sample(
            "email.delivered",
            {"email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "from": "a@example.com", "to": ["b@example.com"]},
            family="Svix",
        ),
    )
)
providers.register("openai")(
    Provider(
        name="OpenAI",
        documentation_url="https://platform.openai.com/docs/guides/webhooks",
        scheme=STANDARD,
        event_id=_STANDARD_ID,
        event_type=("body:type",),
        secret_help="OpenAI platform, project settings, Webhooks: the signing secret (whsec_...), shown once when the "
        "webhook is made.",
        retries="For up to 72 hours, with growing pauses.",
        retry_hours=72,
        sample=_openai_sample,
    )
)
providers.register("replicate")(
    Provider(
        name="Replicate",
        documentation_url="https://replicate.com/docs/topics/webhooks",
        scheme=STANDARD,
        event_id=_STANDARD_ID,
        # A prediction has no event type; what happened to it is its status.
        event_type=("body:status",),
        secret_help="Replicate's API, GET /v1/webhooks/default/secret: key (whsec_...).",
        retries="A few tries, and only of the event that ends a prediction.",
        sample=_replicate_sample,
    )
)
providers.register("polar")(
    Provider(
        name="Polar",
        documentation_url="https://polar.sh/docs/integrate/webhooks/delivery",
        scheme=_POLAR,
        event_id=_STANDARD_ID,
        event_type=("body:type",),
        secret_help="Polar dashboard, Settings, Webhooks, your endpoint: Secret, exactly as it is shown there.",
        retries="10 tries, with growing pauses.",
        sample=_sample("order.created", {"id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "status": "paid"}),
    )
)
providers.register("dodopayments")(
    Provider(
        name="Dodo Payments",
        documentation_url="https://docs.dodopayments.com/developer-resources/webhooks",
        scheme=STANDARD,
        event_id=_STANDARD_ID,
        event_type=("body:type",),
        secret_help="Dodo Payments dashboard, Developer, Webhooks, your endpoint: Signing key (whsec_...).",
        sample=_sample(
            "payment.succeeded", {"payload_type": "Payment", "payment_id": "pay_2IjeQm4hqU6RA4Z4kwDee"}, business_id="b"
        ),
    )
)
providers.register("supabase_auth")(
    Provider(
        name="Supabase Auth hooks",
        documentation_url="https://supabase.com/docs/guides/auth/auth-hooks",
        scheme=STANDARD,  # its secrets begin with v1,whsec_: what stands before the base64 is taken off
        event_id=_STANDARD_ID,
        event_type=("body:email_data.email_action_type || (sms && 'sms') || type",),
        # Whoever holds these can sign in as the user.
        sensitive_fields=("email_data.[token, token_hash, token_new, token_hash_new]", "sms.otp"),
        secret_help="Supabase dashboard, Authentication, Auth Hooks, your hook: Secret (v1,whsec_...).",
        deadline_seconds=5,
        sample=_supabase_sample,
    )
)
