"""CircleCI: https://circleci.com/docs/guides/integration/outbound-webhooks/#validate-webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Fields, Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    kind = event_type or "workflow-completed"
    payload = {
        "id": event_id,
        "type": kind,
        "happened_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "webhook": {"id": "cf8c4fdd-0587-4da1-b4ca-4846e9640af9", "name": "Sample Webhook"},
        "project": {"id": "84996744-a854-4f5e-aea3-04e2851dc1d2", "name": "webhook-service"},
        "workflow": {"id": "fda08377-fe7e-46b1-8992-3a7aaecac9c3", "name": "build-test-deploy", "status": "success"},
    }
    return json_sample(payload, {"circleci-event-type": kind})


providers.register("circleci")(
    Provider(
        name="CircleCI",
        documentation_url="https://circleci.com/docs/guides/integration/outbound-webhooks/",
        scheme=Hmac(headers=("circleci-signature",), layout=Fields(signature="v1")),
        event_id=("body:id",),
        event_type=("body:type",),
        secret_help="Project settings, Webhooks, your webhook: the text in the field Secret token.",
        deadline_seconds=5,
        retries="After a 5xx answer or none, for a while.",
        sample=_sample,
    )
)
