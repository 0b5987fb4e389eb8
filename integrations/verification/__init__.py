"""How a request proves where it came from: a few schemes, each set up by data."""

from integrations.verification.asymmetric import Ed25519
from integrations.verification.base import Open, Scheme
from integrations.verification.hmac import Hmac
from integrations.verification.layouts import Fields, Plain, Versions
from integrations.verification.reasons import Reason, explanation, unproven
from integrations.verification.timestamps import Timestamp
from integrations.verification.token import Basic, Token
from integrations.verification.twilio import UrlAndForm

__all__ = [
    "Basic",
    "Ed25519",
    "Fields",
    "Hmac",
    "Open",
    "Plain",
    "Reason",
    "Scheme",
    "Timestamp",
    "Token",
    "UrlAndForm",
    "Versions",
    "explanation",
    "unproven",
]
