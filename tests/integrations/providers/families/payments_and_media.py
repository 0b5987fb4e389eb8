"""Facts of those who take payments, keep shops, send mail and serve media."""

from __future__ import annotations

import json
from urllib.parse import quote

from integrations.verification.texts import wire_bytes
from tests.integrations.providers.facts import Facts

_ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
_OTHER_ADYEN_KEY = "009E9E92268087AAD241638D3325201AFE8AAC6F3DCD369B6D32E87129FFAB10"


def _in_form(text: str) -> str:
    return quote(wire_bytes(text))


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_json_in_form(text: str) -> str:
    return _in_form(_in_json(text))


FACTS: list[Facts] = [
    Facts(
        provider="paddle",
        file="paddle/transaction.completed.json",
        secret="pdl_ntfset_01hv8xsecret_one",
        other_secret="pdl_ntfset_01hv8xsecret_two",
        tolerance_seconds=30,
        event_id="evt_01hv8x2ath3jnzv8p3k9zpvzsg",
        event_type="transaction.completed",
    ),
    Facts(
        provider="paddle",
        case="as_strict_as_its_libraries",
        file="paddle/transaction.completed.json",
        settings={"tolerance_seconds": 5},
        tolerance_seconds=5,
        event_id="evt_01hv8x2ath3jnzv8p3k9zpvzsg",
        event_type="transaction.completed",
    ),
    Facts(
        provider="gocardless",
        file="gocardless/payments.confirmed.json",
        event_id="WB0001TFWBXEP7",
        event_type="payments.confirmed",
    ),
    Facts(
        provider="mollie",
        file="mollie/payment-link.paid.json",
        event_id="event_GvJ8WHrp5isUdRub9CJyH",
        event_type="payment-link.paid",
    ),
    Facts(
        provider="coinbase_commerce",
        file="coinbase_commerce/charge.confirmed.json",
        event_id="24934862-d980-46cb-9402-43c81b0cdba6",
        event_type="charge:confirmed",
    ),
    Facts(
        provider="razorpay",
        file="razorpay/payment.captured.json",
        headers={"x-razorpay-event-id": "DESlfW9H8K9uqM"},
        event_id="DESlfW9H8K9uqM",
        event_type="payment.captured",
    ),
    Facts(
        provider="paystack",
        file="paystack/charge.success.json",
        event_id="charge.success.302961",
        event_type="charge.success",
    ),
    Facts(
        provider="lemonsqueezy",
        file="lemonsqueezy/order_created.json",
        headers={"X-Event-Name": "order_created"},
        event_type="order_created",
    ),
    Facts(
        provider="adyen_platform",
        file="adyen_platform/transfer.created.json",
        secret=_ADYEN_KEY,
        other_secret=_OTHER_ADYEN_KEY,
        event_type="balancePlatform.transfer.created",
    ),
    Facts(
        provider="adyen",
        file="adyen/authorisation.json",
        secret=_ADYEN_KEY,
        other_secret=_OTHER_ADYEN_KEY,
        covers_body=False,
        proof_pattern=r',"hmacSignature":"([^"]*)"',
        proof_escape=_in_json,
        covered=(
            ("10100", "10101"),
            ('"EUR"', '"USD"'),
            ('"true"', '"false"'),
            ("8535516988841361", "8535516988841362"),
        ),
        not_covered=(("033899", "133899"), ("2019-07-10", "2020-07-10"), ('"live":"false"', '"live":"true"')),
        event_id="8535516988841361.AUTHORISATION.true",
        event_type="AUTHORISATION",
    ),
    Facts(
        provider="adyen",
        case="batch",
        file="adyen/batch.json",
        secret=_ADYEN_KEY,
        other_secret=_OTHER_ADYEN_KEY,
        covers_body=False,
        proof_pattern=r'"hmacSignature":"([^"]*)"',
        proof_escape=_in_json,
        covered=(("CAPTURE", "REFUND"), ("8815516988841362", "8815516988841363")),
        event_type="AUTHORISATION",
    ),
    Facts(
        provider="easypost",
        file="easypost/tracker.updated.json",
        secret="sécret",
        event_id="evt_qatAiJDM",
        event_type="tracker.updated",
    ),
    Facts(
        provider="square",
        file="square/payment.updated.json",
        covers_url=True,
        event_id="6a8f5f28-54a1-4eb0-a98a-3111513fd4fc",
        event_type="payment.updated",
    ),
    Facts(provider="xero", file="xero/contact.update.json", event_type="CONTACT.UPDATE"),
    Facts(provider="quickbooks", file="quickbooks/customer.create.json", event_type="Customer.Create"),
    Facts(
        provider="quickbooks",
        case="cloud_event",
        file="quickbooks/cloud_event.json",
        event_id="88cd52aa-33b6-4351-9aa4-47572edbd068",
        event_type="qbo.customer.created.v1",
    ),
    Facts(
        provider="woocommerce",
        file="woocommerce/order.updated.json",
        headers={"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Delivery-ID": "53bf5d5e2f0e4e6a"},
        event_id="53bf5d5e2f0e4e6a",
        event_type="order.updated",
    ),
    *(
        Facts(
            provider="flutterwave",
            case=version,
            file="flutterwave/charge.completed.json",
            settings={"version": version} if version else {},
            covers_body=version != "v3",
            event_id="wbk_5PfCeGh8MC8MBGhK8lOn",
            event_type="charge.completed",
        )
        for version in ("", "v3", "v4")
    ),
    Facts(
        provider="flutterwave",
        case="body_of_v3",
        file="flutterwave/charge.completed.v3.json",
        settings={"version": "v3"},
        covers_body=False,
        event_id="charge.completed.285959875.successful",
        event_type="charge.completed",
    ),
    Facts(
        provider="workos",
        file="workos/user.created.json",
        tolerance_seconds=180,
        event_id="event_01E4ZCR3C56J083X43JQXF3JK5",
        event_type="user.created",
    ),
    Facts(
        provider="braintree",
        file="braintree/subscription_charged_successfully.form",
        settings={"public_key": "integration_public_key".replace("_", "")},
        covers_body=False,
        proof_pattern=r"&bt_signature=integrationpublickey%7C([0-9a-f]*)",
        proof_escape=_in_form,
        covered=(("bt_payload=PG", "bt_payload=QG"), ("bt_payload", "bt_pay")),
        not_covered=(("bt_payload", "added=1&bt_payload"),),
        event_id="subscription_charged_successfully.2017-06-16T12:00:00Z.my_id",
        event_type="subscription_charged_successfully",
    ),
    Facts(
        provider="telnyx",
        file="telnyx/message.received.json",
        secret="",
        other_secret="",
        tolerance_seconds=300,
        event_id="b301ed3f-1490-491f-995f-6e64e69674d4",
        event_type="message.received",
    ),
    Facts(
        provider="sendgrid",
        file="sendgrid/processed.json",
        secret="",
        other_secret="",
        tolerance_seconds=90_000,
        event_id="sg_event_id",
        event_type="processed",
    ),
    Facts(
        provider="sendgrid",
        case="batch",
        file="sendgrid/batch.json",
        secret="",
        other_secret="",
        tolerance_seconds=90_000,
        event_type="deferred",
    ),
    Facts(
        provider="pusher",
        file="pusher/channel_occupied.json",
        settings={"key": "278d425bdf160c739803"},
        headers={"X-Pusher-Key": "278d425bdf160c739803"},
        tolerance_seconds=300,
        event_type="channel_occupied",
    ),
    Facts(
        provider="mux",
        file="mux/video.asset.ready.json",
        tolerance_seconds=300,
        event_id="3a56ac3d-33da-4366-855b-f592d898409d",
        event_type="video.asset.ready",
    ),
    Facts(
        provider="elevenlabs",
        file="elevenlabs/post_call_transcription.json",
        tolerance_seconds=1800,
        event_id="post_call_transcription.abc",
        event_type="post_call_transcription",
    ),
    Facts(
        provider="sanity",
        file="sanity/post.json",
        headers={"idempotency-key": "4f0e2c6a-1"},
        tolerance_seconds=300,
        event_id="4f0e2c6a-1",
        event_type="post",
    ),
    Facts(
        provider="zendesk",
        file="zendesk/ticket.created.json",
        headers={"x-zendesk-webhook-invocation-id": "01GPQ5G3XPYJ2V8Q5H4R5YV5VX"},
        tolerance_seconds=3600,
        event_id="01GPQ5G3XPYJ2V8Q5H4R5YV5VX",
        event_type="zen:event-type:ticket.created",
    ),
    *(
        Facts(
            provider="postmark",
            case=case,
            file=f"postmark/{case}.json",
            secret="hook:a password",
            other_secret="hook:another password",
            covers_body=False,
            event_id=event_id,
            event_type=case.title(),
        )
        for case, event_id in (
            ("delivery", "883953f4-6105-42a2-a16a-77a8eac79483.Delivery.2019-11-05T16:33:54.9070259Z"),
            ("bounce", "Bounce.4323372036854775807"),
            ("inbound", "73e6d360-66eb-11e1-8e72-a8904824019b"),
        )
    ),
    Facts(
        provider="mailchimp",
        file="mailchimp/subscribe.form",
        covers_body=False,
        event_id="subscribe.2009-03-26 21:35:57.8a25ff1d98",
        event_type="subscribe",
    ),
    Facts(provider="dropbox", file="dropbox/list_folder.json", event_type="list_folder"),
    Facts(
        provider="dropbox_sign",
        file="dropbox_sign/signature_request_sent.form",
        covers_body=False,
        proof_pattern=r"%2C%22event_hash%22%3A%22([0-9a-f]*)%22",
        proof_escape=_in_json_in_form,
        covered=(("1348177752", "1348177753"), ("signature_request_sent", "signature_request_signed")),
        not_covered=(("Purchase", "Sales"), ("fa5c8a0b", "fa5c8a0c")),
        event_id="1348177752.signature_request_sent.fa5c8a0b0f492d768749333ad6fcc214c111e967",
        event_type="signature_request_sent",
    ),
]
