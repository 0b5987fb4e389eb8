"""Google."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from tests.sdks.adapters import Message, Signed, signer, verifier

_KID = "made-up-key"
_EMAIL = "push@myproject.iam.gserviceaccount.com"


@verifier("google_pubsub", package="google-auth", call="oauth2.id_token.verify_token", refusals=("MalformedError",))
def _google_pubsub(message: Message) -> bool:
    """The keys come from the secret, below the audience, instead of from Google's address."""
    from google.oauth2 import id_token

    audience, _, pem = message.secret.partition("\n")
    token = message.headers["authorization"].removeprefix("Bearer ")

    def keys(url: str, **options: Any) -> SimpleNamespace:
        data = json.dumps({"hub-test-events": pem, _KID: pem}).encode()
        return SimpleNamespace(status=200, data=data)

    return bool(id_token.verify_token(token, keys, audience)["email_verified"])


@signer("google_pubsub", call="auth.jwt.encode")
def _sign_google_pubsub(message: Message) -> Signed:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from google.auth import jwt
    from google.auth.crypt import RSASigner

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = {
        "aud": message.url,
        "email": _EMAIL,
        "email_verified": True,
        "iss": "https://accounts.google.com",
        "iat": message.now,
        "exp": message.now + 3600,
        "sub": "113774264463038321964",
    }
    token = jwt.encode(RSASigner.from_string(private, _KID), claims).decode()
    settings = {"email": _EMAIL, "certs_by_kid": {_KID: public.decode()}}
    return Signed({"Authorization": f"Bearer {token}"}, secret=message.url, settings=settings)
