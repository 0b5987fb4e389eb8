"""A request as it is kept: bytes and headers exactly as received, credentials encrypted."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from django.db import models

from integrations import masking
from integrations.contracts import case_insensitive
from integrations.encryption import EncryptedTextField, decrypt, encrypt

MASK = masking.MASK

# Names of headers and query parameters that hold credentials whatever the provider; the preset adds those of its
# scheme. Also what was sent to the wrong endpoint, and so is no proof there, is somebody's secret.
_CREDENTIAL = re.compile(
    r"auth(?!or(?!i[sz]))|cookie|token|secret|passw|pwd|credential|signature|session|jwt|"
    r"(?:\A|(?<!idempotency)[-_.]|api|access|private)key\Z|(?:\A|[-_.])sig\Z",
    re.IGNORECASE,
)
#: Strangers choose names: what is remembered of longer ones could fill the memory.
_USUAL_LENGTH = 64


class SealedRequest(models.Model):
    """The columns that keep a request. ``headers`` and ``query_string`` are fit to show; `original_headers` are whole.

    In ``headers`` a credential's value is `MASK`; the real ones are in ``sealed``, an encrypted JSON object
    ``{"headers": {...}, "query_string": "..."}``, or "" if there are none.
    """

    headers = models.JSONField(default=dict)
    query_string = models.TextField(blank=True, default="")
    sealed = EncryptedTextField(blank=True, default="")
    raw_body = models.BinaryField(null=True)
    body_is_encrypted = models.BooleanField(default=False)
    body_bytes = models.PositiveBigIntegerField(default=0)
    content_type = models.CharField(max_length=255, blank=True)

    class Meta:
        abstract = True

    @property
    def hides_body(self) -> bool:
        """Whether the body is shown to those only who reveal it: what its endpoint receives is sensitive."""
        sensitive: bool = self.endpoint.sensitive  # type: ignore[attr-defined]
        return sensitive

    @property
    def body(self) -> bytes:
        """The raw body as received; b"" if it was not kept."""
        raw = bytes(self.raw_body or b"")
        return decrypt(raw) if self.body_is_encrypted and raw else raw

    @property
    def original_headers(self) -> Mapping[str, str]:
        """All headers as received, credentials included."""
        return case_insensitive({**self.headers, **self._sealed.get("headers", {})})

    @property
    def original_query_string(self) -> str:
        """The query string as received, credentials included."""
        if MASK not in self.query_string:
            return self.query_string
        text: str = self._sealed.get("query_string", self.query_string)
        return text

    @property
    def _sealed(self) -> dict[str, Any]:
        return json.loads(self.sealed) if self.sealed else {}


def sealed_columns(
    *,
    headers: Mapping[str, str],
    query_string: str,
    body: bytes | None,
    content_type: str,
    secret_headers: Collection[str],
    secret_parameters: Collection[str],
    encrypt_body: bool,
) -> dict[str, Any]:
    """Return the columns of a `SealedRequest`; ``secret_*`` are the names of what has to be hidden, lower-case.

    What is a credential by its name is hidden in any case. ``body`` None means that it is not kept; the caller sets
    ``body_bytes`` to what was received then.
    """
    headers = dict(headers.items())
    hidden = {name: value for name, value in headers.items() if _is_secret(name, secret_headers)}
    shown_query = masked_query(query_string, secret_parameters) if query_string else ""
    kept: dict[str, Any] = {}
    if hidden:
        kept["headers"] = hidden
    if shown_query != query_string:
        kept["query_string"] = query_string
    return {
        "headers": _shown(headers, hidden),
        "query_string": storable(shown_query),
        "sealed": json.dumps(kept) if kept else "",
        **body_columns(body, content_type=content_type, encrypt_body=encrypt_body),
    }


def _shown(headers: Mapping[str, str], hidden: Collection[str]) -> dict[str, str]:
    shown = {name: MASK if name in hidden else value for name, value in headers.items()}
    text = "".join([*headers, *headers.values()])
    if text.isascii() and "\x00" not in text:  # all of them at once
        return shown
    return {storable(name): storable(value) for name, value in shown.items()}


def body_columns(body: bytes | None, *, content_type: str, encrypt_body: bool) -> dict[str, Any]:
    """Return those columns of a `SealedRequest` that keep its body."""
    return {
        "raw_body": encrypt(body) if encrypt_body and body else body,
        "body_is_encrypted": bool(encrypt_body and body),
        "body_bytes": len(body or b""),
        "content_type": storable(content_type, 255),
    }


def storable(text: str, limit: int | None = None) -> str:
    """Return ``text`` as every database can keep it: no NUL, no lone surrogates, at most ``limit`` characters."""
    if text.isascii() and "\x00" not in text:
        return text if limit is None else text[:limit]
    clean = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return clean if limit is None else clean[:limit]


def storable_json(value: Any) -> Any:
    """Return a JSON value with every text in it made `storable`; PostgreSQL's jsonb refuses what its text refuses."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): storable_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value


def masked(payload: Any, values: Collection[str | int | float]) -> Any:
    """Return ``payload`` with `MASK` wherever one of ``values`` stands, as a text, a number or a field's name."""
    if isinstance(payload, dict):
        return {MASK if name in values else name: masked(item, values) for name, item in payload.items()}
    if isinstance(payload, list):
        return [masked(item, values) for item in payload]
    if isinstance(payload, str | int | float) and not isinstance(payload, bool) and payload in values:
        return MASK
    return payload


def masked_within(value: Any, values: Collection[str | int | float]) -> Any:
    """Do what `masked` does, and mask also the texts among ``values`` that stand within a longer one."""
    texts = sorted((text for text in values if isinstance(text, str) and text), key=len, reverse=True)

    def cleared(item: Any) -> Any:
        if isinstance(item, dict):
            return {cleared(name): cleared(child) for name, child in item.items()}
        if isinstance(item, list):
            return [cleared(child) for child in item]
        if isinstance(item, str):
            for text in texts:
                item = item.replace(text, MASK)
        return item

    return masked(cleared(value), values)


def masked_query(query_string: str, secret_parameters: Collection[str], mask: str = MASK) -> str:
    """Return ``query_string`` with ``mask`` for the values of ``secret_parameters`` (lower-case names) and the like."""
    parts = []
    for part in query_string.split("&"):
        name, separator, _ = part.partition("=")
        # As the reader of the query decodes it: "tok%65n" is "token".
        secret = separator and _is_secret(unquote_plus(name), secret_parameters)
        parts.append(f"{name}={mask}" if secret else part)
    return "&".join(parts)


def is_credential(name: str) -> bool:
    """Return whether what is called ``name`` is a credential by its name, whatever it belongs to."""
    return _is_credential(name) if len(name) <= _USUAL_LENGTH else _is_credential.__wrapped__(name)


@lru_cache(4096)
def _is_credential(name: str) -> bool:
    return _CREDENTIAL.search(name) is not None


def _is_secret(name: str, names: Collection[str]) -> bool:
    return name.lower() in names or is_credential(name)
