"""The adapters of tests/sdks/js/peer.mjs, as data: what they verify and sign with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class JavaScriptAdapter:
    """One library for one provider, run by Node."""

    provider: str
    package: str
    verifies: str
    case: str = ""
    signs: str = ""

    @property
    def signs_with(self) -> str:
        return self.package

    @property
    def key(self) -> str:
        return f"{self.provider}:{self.case}" if self.case else self.provider


ADAPTERS = {
    adapter.key: adapter
    for adapter in (
        JavaScriptAdapter(provider="github", package="@octokit/webhooks-methods", verifies="verify", signs="sign"),
        JavaScriptAdapter(provider="linear", package="@linear/sdk", verifies="LinearWebhookClient.verify"),
        JavaScriptAdapter(
            provider="notion",
            package="@notionhq/client",
            verifies="verifyWebhookSignature",
            signs="signWebhookPayload",
        ),
        JavaScriptAdapter(
            provider="sanity", package="@sanity/webhook", verifies="isValidSignature", signs="encodeSignatureHeader"
        ),
        JavaScriptAdapter(
            provider="contentful",
            package="@contentful/node-apps-toolkit",
            verifies="verifyRequest",
            signs="signRequest",
        ),
        JavaScriptAdapter(
            provider="mux",
            package="@mux/mux-node",
            verifies="webhooks.verifySignature",
            signs="webhooks.computeSignature",
        ),
        JavaScriptAdapter(provider="shopify", package="@shopify/shopify-api", verifies="webhooks.validate"),
        JavaScriptAdapter(provider="clerk", package="@clerk/backend", verifies="verifyWebhook"),
        JavaScriptAdapter(provider="webflow", package="webflow-api", verifies="webhooks.verifySignature"),
        JavaScriptAdapter(provider="zoom", package="@zoom/rivet", verifies="AwsLambdaReceiver"),
        JavaScriptAdapter(provider="aws_sns", package="sns-validator", verifies="MessageValidator.validate"),
    )
}
