"""How a connection proves who is calling: for each kind of proof, the credentials and settings that it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from integrations.errors import ReferenceMissing
from integrations.masking import MASK
from integrations.references import resolve
from integrations.schemas import check_schema

_END = r"(?![\s\S])"  # as "$", but not before a last line break
HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+" + _END
_LONGEST_CREDENTIAL = 20_000
_VISIBLE = re.compile(r"[\x20-\x7e]*")

#: A proxy's, with any proof.
PROXY_CREDENTIALS = ("proxy_username", "proxy_password")


@dataclass(frozen=True)
class ProofKind:
    """One way to prove who calls: ``credentials`` must be there, ``settings_schema`` says what else there is.

    With ``in_header`` the credentials stand in a header, and so can hold nothing that a header cannot.
    """

    name: str
    credentials: tuple[str, ...] = ()
    settings_schema: Mapping[str, Any] = field(default_factory=lambda: _object({}))
    in_header: bool = False

    @property
    def example(self) -> str:
        """What the settings look like that have to be there, as JSON; "" where there are none."""
        properties = self.settings_schema["properties"]
        wanted = {name: properties[name].get("enum", [""])[0] for name in self.settings_schema["required"]}
        return json.dumps(wanted) if wanted else ""


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


_HEADER = {"type": "string", "maxLength": 100, "pattern": HEADER_NAME, "description": "the name of a header"}
_TEXT = {"type": "string", "maxLength": 500}
_ACCOUNT = {
    "type": "string",
    "pattern": r"^[a-z0-9]{3,24}" + _END,
    "description": "the name of the storage account",
}
_URL = {
    "type": "string",
    "maxLength": 500,
    "pattern": r"^[hH][tT][tT][pP][sS]?://[^\s/?#@\\]+(/[^\s#]*)?" + _END,
    "description": "an http:// or https:// address, without user, password or #fragment",
}
_OAUTH2 = {
    "token_url": _URL,
    "client_id": {**_TEXT, "minLength": 1},
    "scope": _TEXT,
    "audience": _TEXT,
    "client_auth": {"enum": ["basic", "body"], "default": "basic"},
}

PROOFS: Mapping[str, ProofKind] = {
    "none": ProofKind("None"),
    "basic": ProofKind("Basic (user and password)", ("username", "password")),
    "bearer": ProofKind("Bearer token", ("token",), in_header=True),
    "header": ProofKind(
        "A header",
        ("value",),
        _object({"name": _HEADER, "prefix": {**_TEXT, "maxLength": 50}}, "name"),
        in_header=True,
    ),
    "query": ProofKind(
        "A query parameter", ("value",), _object({"name": {**_TEXT, "minLength": 1, "maxLength": 100}}, "name")
    ),
    "hmac": ProofKind(
        "Signed with HMAC",
        ("secret",),
        _object(
            {
                "header": {**_HEADER, "default": "X-Signature"},
                "algorithm": {"enum": ["sha256", "sha512", "sha1"], "default": "sha256"},
                "encoding": {"enum": ["hex", "base64", "base64url"], "default": "hex"},
                "prefix": {**_TEXT, "maxLength": 50, "default": ""},
                "template": {**_TEXT, "minLength": 1, "default": "{body}"},
                "timestamp_header": _HEADER,
            }
        ),
    ),
    "standard_webhooks": ProofKind("Signed by Standard Webhooks", ("secret",)),
    "oauth2_client_credentials": ProofKind(
        "OAuth 2.0 client credentials", ("client_secret",), _object(_OAUTH2, "token_url", "client_id")
    ),
    "oauth2_refresh_token": ProofKind(
        "OAuth 2.0 refresh token",
        ("client_secret", "refresh_token"),
        _object(_OAUTH2, "token_url", "client_id"),
    ),
    "address": ProofKind("A secret address (incoming webhook)", ("url",)),
    "sasl": ProofKind(
        "SASL (user and password)",
        ("username", "password"),
        _object({"mechanism": {"enum": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]}}, "mechanism"),
    ),
    "aws": ProofKind(
        "AWS access key",
        ("access_key_id", "secret_access_key"),
        _object(
            {
                "region": {**_TEXT, "minLength": 1, "maxLength": 50},
                "service": {**_TEXT, "minLength": 1, "maxLength": 50},
            },
            "region",
        ),
    ),
    "azure_key": ProofKind("Azure account key", ("account_key",), _object({"account": _ACCOUNT}, "account")),
    "azure_sas": ProofKind("Azure shared access signature", ("sas_token",), _object({"account": _ACCOUNT}, "account")),
    "google_service_account": ProofKind("Google service account", ("service_account",)),
}


def proof_choices() -> list[tuple[str, str]]:
    """Return (key, name) of every kind, for a model's field."""
    return [(key, kind.name) for key, kind in PROOFS.items()]


def credential_names(auth: str) -> tuple[str, ...]:
    """Return the names of the credentials that a connection with this proof can have."""
    return (*(PROOFS[auth].credentials if auth in PROOFS else ()), *PROXY_CREDENTIALS)


def check_proof(auth: str, settings: Any, credentials: Any) -> None:
    """Raise `ValidationError`, by field, if the proof cannot be made of these; no text quotes a credential."""
    kind = PROOFS.get(auth)
    if kind is None:
        return
    check_schema(settings, kind.settings_schema, field="auth_settings")
    known = credential_names(auth)
    if not isinstance(credentials, Mapping):
        raise ValidationError({"credentials": gettext("This has to be an object.")})
    problems = [
        f"there is no {str(name)[:50]} here; known: {', '.join(known)}" for name in credentials if name not in known
    ]
    problems += [f"{name} is missing" for name in kind.credentials if not credentials.get(name)]
    if problems:
        raise ValidationError({"credentials": problems})
    problems = [problem for name in credentials if (problem := _problem(name, credentials[name], kind))]
    if problems:
        raise ValidationError({"credentials": problems})


def _problem(name: str, value: Any, kind: ProofKind) -> str:
    if not isinstance(value, str) or not value or len(value) > _LONGEST_CREDENTIAL or "\x00" in value:
        return f"{name} has to be a text of at most {_LONGEST_CREDENTIAL} characters"
    if value == MASK:
        return f"{name}: no value is stored that the mask could stand for"
    try:
        found = resolve(value)
    except ReferenceMissing as exc:
        return f"{name}: {exc}"
    if kind.in_header and name in kind.credentials and not _VISIBLE.fullmatch(found):
        return f"{name} cannot stand in a header: it holds more than visible ASCII characters"
    if name in {"username", "proxy_username"} and ":" in found:
        return f"{name} cannot hold a colon"
    return ""
