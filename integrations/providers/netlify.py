"""Netlify: https://docs.netlify.com/deploy/deploy-notifications/#payload-signature.

The token has no expiry, so a captured request can be sent again; an identical body counts as a duplicate.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification.jwt import SharedJwt


def _sample(event_type: str, event_id: str) -> Sample:
    deploy = {
        "id": event_id,
        "site_id": "4c8a1f7e-0b6d-4f0e-9a39-6d7c4f1b2a55",
        "name": "shop",
        "url": "https://shop.example.com",
        "state": "ready",
        "branch": "main",
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    return replace(json_sample(deploy), headers={"X-Netlify-Event": event_type or "deploy_created"})


providers.register("netlify")(
    Provider(
        name="Netlify",
        documentation_url="https://docs.netlify.com/deploy/deploy-notifications/#payload-signature",
        scheme=SharedJwt(header="X-Webhook-Signature", issuers=("netlify",), body_claim="sha256"),
        # A deploy's id comes with each of its states: the body decides.
        event_type=("header:X-Netlify-Event",),
        url_help="Deploy notifications, HTTP POST request: the URL.",
        secret_help="The JWS secret token that you enter under Deploy notifications, HTTP POST request.",
        retries="A notification that fails six times in a row is switched off.",
        sample=_sample,
    )
)
