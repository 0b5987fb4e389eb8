"""What a client has to know of a connection, apart from any row: its credentials are themselves, not references."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from integrations.connectors.egress import Network
from integrations.connectors.tries import Tries

_SHORTEST = 4


@dataclass(frozen=True)
class ConnectionSpec:
    """One outside system and how it is called; times in seconds."""

    name: str
    base_url: str
    kind: str = "http"
    auth: str = "none"
    auth_settings: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    timeout: float = 30.0
    tries: Tries = field(default_factory=Tries)
    allow: Sequence[Network] = ()
    proxy: str = ""
    follow_redirects: bool = False
    idempotency_header: str = "Idempotency-Key"
    kept_response_bytes: int = 4096
    #: Whether ``name`` is a connection's, and not only what an address, say, is called.
    is_named: bool = True

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, in every spelling in which an answer could repeat it, the longest first."""
        found = {spelling for value in self.credentials.values() for spelling in spellings(value)}
        if self.auth == "address":
            found |= spellings(urlsplit(self.credentials.get("url", "")).path.lstrip("/"))
        for prefix in ("", "proxy_"):
            pair = [self.credentials.get(f"{prefix}{name}", "") for name in ("username", "password")]
            if all(pair):
                found.add(base64.b64encode(":".join(pair).encode()).decode("ascii"))
        return tuple(sorted(found, key=len, reverse=True))


def spellings(secret: str) -> set[str]:
    """Return ``secret`` as it is, in JSON, in HTML, in an address, and in base64; nothing of very short ones.

    Those would mask half of an answer.
    """
    if len(secret) < _SHORTEST:
        return set()
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_json |= {text.replace("/", r"\/") for text in in_json}  # as PHP writes it
    in_an_address = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    in_an_address |= {re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text) for text in in_an_address}
    return {secret, *in_json, *in_an_address, html.escape(secret), base64.b64encode(secret.encode()).decode("ascii")}
