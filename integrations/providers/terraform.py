"""HCP Terraform and Terraform Enterprise, run notifications.

https://developer.hashicorp.com/terraform/cloud-docs/workspaces/settings/notifications#notification-authenticity
"""

from __future__ import annotations

from datetime import UTC, datetime

from integrations.contracts import Sample
from integrations.providers import Provider, providers
from integrations.providers.samples import json_sample
from integrations.verification import Hmac


def _sample(event_type: str, event_id: str) -> Sample:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    notification = {
        "message": "A test event from the hub.",
        "trigger": event_type or "run:completed",
        "run_status": "applied",
        "run_updated_at": now,
        "run_updated_by": "person@example.com",
    }
    return json_sample(
        {
            "payload_version": 1,
            "notification_configuration_id": "nc-AeUQ2zfKZzW9TiGZ",
            "run_url": f"https://app.terraform.io/app/acme-org/my-workspace/runs/{event_id}",
            "run_id": event_id,
            "workspace_name": "my-workspace",
            "organization_name": "acme-org",
            "notifications": [notification],
        }
    )


providers.register("terraform")(
    Provider(
        name="Terraform (HCP, Enterprise)",
        documentation_url="https://developer.hashicorp.com/terraform/cloud-docs/workspaces/settings/notifications",
        scheme=Hmac(headers=("X-TFE-Notification-Signature",), algorithm="sha512"),
        # A run needs attention more than once; the test notification (trigger "verification") has no run.
        event_id=("body:join('.', [run_id, notifications[0].trigger, notifications[0].run_updated_at])",),
        event_type=("body:notifications[0].trigger",),
        secret_help="Workspace settings, Notifications, your configuration: the text that you entered as Token.",
        retries="None.",
        sample=_sample,
    )
)
