# ruff: noqa: S105 - codes, no passwords
"""Why a request is refused: the stable codes, and one line for the operator on each.

The sender sees none of this: to it, all failures of proof look alike.
"""

from __future__ import annotations

from enum import StrEnum

from django.utils.translation import gettext, gettext_noop

from integrations.errors import MalformedPayload, VerificationFailed


class Reason(StrEnum):
    """A code as rejections, filters and metrics carry it."""

    NO_LIVE_SECRET = "no_live_secret"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_UNDECODABLE = "signature_undecodable"
    SIGNATURE_MISMATCH = "signature_mismatch"
    TOO_MANY_SIGNATURES = "too_many_signatures"
    ALGORITHM_UNKNOWN = "algorithm_unknown"
    SIGNED_OTHERWISE = "signed_otherwise"
    SIGNED_HEADER_MISSING = "signed_header_missing"
    SIGNED_VALUE_MISSING = "signed_value_missing"
    BODY_NOT_SIGNED = "body_not_signed"
    BODY_HASH_MISMATCH = "body_hash_mismatch"
    TIMESTAMP_MISSING = "timestamp_missing"
    TIMESTAMP_UNREADABLE = "timestamp_unreadable"
    TIMESTAMP_STALE = "timestamp_stale"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    TOKEN_MISSING = "token_missing"
    TOKEN_UNDECODABLE = "token_undecodable"
    TOKEN_MISMATCH = "token_mismatch"
    TOKEN_USED = "token_used"
    CLAIM_MISSING = "claim_missing"
    CLAIM_MISMATCH = "claim_mismatch"
    URL_HASH_MISMATCH = "url_hash_mismatch"
    TOPIC_MISMATCH = "topic_mismatch"
    SETTING_MISSING = "setting_missing"
    KEY_UNKNOWN = "key_unknown"
    KEY_ADDRESS_REFUSED = "key_address_refused"
    KEYS_UNAVAILABLE = "keys_unavailable"
    CERTIFICATE_UNUSABLE = "certificate_unusable"
    SUBSCRIPTION_NOT_CONFIRMED = "subscription_not_confirmed"
    VERIFY_TOKEN_NOT_SET = "verify_token_not_set"
    VERIFY_TOKEN_MISMATCH = "verify_token_mismatch"
    PUBLIC_KEY_NOT_SET = "public_key_not_set"
    CHALLENGE_UNREADABLE = "challenge_unreadable"
    JSON_INVALID = "json_invalid"
    JSON_TOO_DEEP = "json_too_deep"
    FORM_INVALID = "form_invalid"
    XML_INVALID = "xml_invalid"
    NOT_UTF8 = "not_utf8"
    BATCH_TOO_LONG = "batch_too_long"


EXPLANATIONS: dict[str, str] = {
    Reason.NO_LIVE_SECRET: gettext_noop(
        "The endpoint has no secret that is live and usable, so nothing can be proven."
    ),
    Reason.SIGNATURE_MISSING: gettext_noop(
        "The header with the signature is not there: not this provider, or signing is off there."
    ),
    Reason.SIGNATURE_UNDECODABLE: gettext_noop(
        "The signature is cut, or not written in the way this provider writes it."
    ),
    Reason.SIGNATURE_MISMATCH: gettext_noop(
        "No live secret makes this signature: another secret is set at the provider, "
        "or something on the way changed the request."
    ),
    Reason.TOO_MANY_SIGNATURES: gettext_noop("The request carries more signatures than any provider sends."),
    Reason.ALGORITHM_UNKNOWN: gettext_noop("The request names a signature algorithm that the hub does not know."),
    Reason.SIGNED_OTHERWISE: gettext_noop(
        "A header that says how, or with which key, the request was signed does not say what this endpoint expects."
    ),
    Reason.SIGNED_HEADER_MISSING: gettext_noop("A header that the signature covers is not there."),
    Reason.SIGNED_VALUE_MISSING: gettext_noop("A part of the body that the signature covers is not there."),
    Reason.BODY_NOT_SIGNED: gettext_noop("Nothing in the request ties its body to the signature."),
    Reason.BODY_HASH_MISMATCH: gettext_noop(
        "The body is not the one whose hash was signed: it was changed on the way."
    ),
    Reason.TIMESTAMP_MISSING: gettext_noop("The signed timestamp is not there."),
    Reason.TIMESTAMP_UNREADABLE: gettext_noop("The timestamp is not written in the way this provider writes it."),
    Reason.TIMESTAMP_STALE: gettext_noop(
        "Correctly signed, but too long ago: a late delivery, a replayed request, or the hub's clock is ahead."
    ),
    Reason.TIMESTAMP_IN_FUTURE: gettext_noop(
        "Correctly signed, but in the future: the provider's clock is ahead, or the hub's is behind."
    ),
    Reason.TOKEN_MISSING: gettext_noop("The request carries no token where this endpoint expects it."),
    Reason.TOKEN_UNDECODABLE: gettext_noop("The credentials are not written as HTTP Basic authentication asks."),
    Reason.TOKEN_MISMATCH: gettext_noop("The token is none of the endpoint's live secrets."),
    Reason.TOKEN_USED: gettext_noop(
        "The one-time token in the request came before, with another body: a forged or changed event."
    ),
    Reason.CLAIM_MISSING: gettext_noop("The signed token does not say what this provider's tokens say."),
    Reason.CLAIM_MISMATCH: gettext_noop(
        "Correctly signed, but for somebody else: the token names another issuer, audience or "
        "account than the endpoint's."
    ),
    Reason.URL_HASH_MISMATCH: gettext_noop(
        "The token was signed for another URL: HUB_BASE_URL, or the endpoint's signed_url, is "
        "not the address that the provider calls."
    ),
    Reason.TOPIC_MISMATCH: gettext_noop("Correctly signed, but of another topic than the endpoint's."),
    Reason.SETTING_MISSING: gettext_noop("A setting of the endpoint that the proof needs is empty."),
    Reason.KEY_UNKNOWN: gettext_noop(
        "The request names a key or certificate that neither the endpoint's settings nor the provider has."
    ),
    Reason.KEY_ADDRESS_REFUSED: gettext_noop(
        "The request names an address for its certificate that is not the provider's."
    ),
    Reason.KEYS_UNAVAILABLE: gettext_noop(
        "The provider's keys cannot be fetched now; they can also be pasted into the endpoint's settings."
    ),
    Reason.CERTIFICATE_UNUSABLE: gettext_noop("The certificate is not one, has expired, or was not valid yet."),
    Reason.SUBSCRIPTION_NOT_CONFIRMED: gettext_noop(
        "The subscription is the endpoint's, but its confirmation did not succeed."
    ),
    Reason.VERIFY_TOKEN_NOT_SET: gettext_noop(
        "The provider asks whether this URL is yours; set verify_token in the endpoint's "
        "settings to the text that you entered there."
    ),
    Reason.VERIFY_TOKEN_MISMATCH: gettext_noop("The verify token is not the one in the endpoint's settings."),
    Reason.PUBLIC_KEY_NOT_SET: gettext_noop(
        "The provider asks whether this URL is yours; set public_key in the endpoint's settings "
        "to the public half of the key whose private half is the secret."
    ),
    Reason.CHALLENGE_UNREADABLE: gettext_noop("The handshake's challenge is missing, too long, or not plain text."),
    Reason.JSON_INVALID: gettext_noop("The body is announced as JSON and is not."),
    Reason.JSON_TOO_DEEP: gettext_noop("The JSON is nested more deeply than any provider's events are."),
    Reason.FORM_INVALID: gettext_noop("The body is announced as a form and is not one, or has too many fields."),
    Reason.XML_INVALID: gettext_noop("The XML is broken, or defines types of its own, or is nested too deeply."),
    Reason.BATCH_TOO_LONG: gettext_noop(
        "The batch has more items than the hub splits; the endpoint can keep batches whole."
    ),
    Reason.NOT_UTF8: gettext_noop("The body is announced as text and is not UTF-8."),
}


def explanation(reason: str) -> str:
    """Return one line on ``reason`` for the operator; "" for a code that is not about proof or form."""
    text = EXPLANATIONS.get(reason)
    return gettext(text) if text else ""


def unproven(reason: Reason, **detail: str | int) -> VerificationFailed:
    """Return the error for ``reason``, to be raised; ``detail`` is for the operator and holds no credential."""
    return VerificationFailed(reason.value, detail)


def malformed(reason: Reason, **detail: str | int) -> MalformedPayload:
    """Return the error for a proven request whose body is not what it says it is, to be raised."""
    return MalformedPayload(reason.value, detail)
