"""Plaid: https://plaid.com/docs/api/webhooks/webhook-verification/.

Plaid gives its public keys, by ``kid``, only to callers with the account's client id and secret, which the hub does not
ask for: paste them. A key is valid for a long time; a new one shows as a rejection with the reason ``key_unknown``.
"""

from __future__ import annotations

from integrations.contracts import Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification.jwt import PublishedKeyJwt
from integrations.verification.remote_keys import KeySet, check_pasted


def _scheme(settings: Settings) -> PublishedKeyJwt:
    keys = settings.get("public_keys_by_kid", {})
    check_pasted(keys)
    return PublishedKeyJwt(
        header="Plaid-Verification",
        algorithms=("ES256",),
        max_age_seconds=300,
        body_claim="request_body_sha256",
        keys=KeySet(pasted=keys),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    kind, _, code = (event_type or "TRANSACTIONS.SYNC_UPDATES_AVAILABLE").partition(".")
    event = {"webhook_type": kind, "webhook_code": code, "item_id": event_id}
    return json_sample({**event, "initial_update_complete": True, "environment": "sandbox"})


providers.register("plaid")(
    Provider(
        name="Plaid",
        documentation_url="https://plaid.com/docs/api/webhooks/webhook-verification/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "public_keys_by_kid": {
                    "type": "object",
                    "title": "Public keys by kid",
                    "description": "Plaid's verification keys, each under its key id, as a JWK or PEM: the answers of "
                    "/webhook_verification_key/get. The hub does not fetch them, as that needs your client id and "
                    "secret.",
                    "additionalProperties": {"type": ["string", "object"]},
                    "maxProperties": 50,
                }
            }
        ),
        # Plaid's webhooks have no id of their own: the body decides.
        event_type=("body:webhook_type", "body:webhook_code"),
        secret_help="Your client id, as a name for the account; what proves is the key in public_keys_by_kid. "
        "A public key pasted here as PEM counts as well.",
        deadline_seconds=10,
        retries="Repeated for up to 24 hours.",
        retry_hours=24,
        sample=_sample,
    )
)
