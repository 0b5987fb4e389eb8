"""Facts of the presets whose proof is a signed token, or a signature under a published key or certificate."""

from __future__ import annotations

from tests.integrations.providers.facts import Facts

FACTS: list[Facts] = [
    Facts(
        provider="netlify",
        file="netlify/deploy_created.json",
        headers={"X-Netlify-Event": "deploy_created"},
        event_type="deploy_created",
    ),
    Facts(
        provider="vonage",
        file="vonage/status.json",
        event_id="aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab:delivered",
        event_type="delivered",
    ),
    Facts(
        provider="messagebird",
        file="messagebird/status.json",
        tolerance_seconds=61,
        future_seconds=1,
        covers_url=True,
        event_id="e8077d803532c0b5937c639b60216938:delivered",
        event_type="delivered",
    ),
    Facts(
        provider="livekit",
        file="livekit/participant_joined.json",
        settings={"api_key": "APIabcdefghijk"},
        tolerance_seconds=360,
        future_seconds=60,
        event_id="EV_eugWmGhovZmm",
        event_type="participant_joined",
    ),
    Facts(
        provider="monday",
        file="monday/create_pulse.json",
        tolerance_seconds=360,
        future_seconds=60,
        covers_body=False,
        event_id="b5ed2e17c530f43668de130142445cba",
        event_type="create_pulse",
    ),
    Facts(
        provider="google_pubsub",
        file="google_pubsub/order_paid.json",
        settings={"email": "push@myproject.iam.gserviceaccount.com"},
        secret="",
        other_secret="",
        tolerance_seconds=3660,
        future_seconds=60,
        covers_body=False,
        event_id="2070443601311540",
        event_type="order.paid",
    ),
    Facts(
        provider="plaid",
        file="plaid/sync_updates_available.json",
        secret="",
        other_secret="",
        tolerance_seconds=300,
        future_seconds=60,
        event_type="TRANSACTIONS.SYNC_UPDATES_AVAILABLE",
    ),
    Facts(
        provider="paypal",
        file="paypal/capture_completed.json",
        secret="",
        other_secret="",
        event_id="WH-2WR32451HC0233532-67976317FL4543714",
        event_type="PAYMENT.CAPTURE.COMPLETED",
    ),
    Facts(
        provider="aws_sns",
        file="aws_sns/notification.json",
        secret="",
        other_secret="",
        event_id="22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        event_type="Notification",
    ),
    Facts(provider="asana", file="asana/task_changed.json", event_type="task.changed"),
    Facts(
        provider="notion",
        file="notion/page_created.json",
        event_id="367cba44-b6f3-4c92-81e7-6a2e9659efd4",
        event_type="page.created",
    ),
]
