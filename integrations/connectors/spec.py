"""What a client has to know of a connection, apart from any row: its credentials are themselves, not references."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, quote_plus

from integrations.connectors.egress import Network
from integrations.connectors.tries import Tries

_SHORTEST = 4


@dataclass(frozen=True)
class ConnectionSpec:
    """One outside system and how it is called; times in seconds."""

    name: str
    base_url: str
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

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, in every spelling in which an answer could repeat it, the longest first."""
        found = {spelling for value in self.credentials.values() for spelling in spellings(value)}
        if self.auth == "basic":
            pair = f"{self.credentials.get('username', '')}:{self.credentials.get('password', '')}"
            found.add(base64.b64encode(pair.encode()).decode("ascii"))
        return tuple(sorted(found, key=len, reverse=True))


def spellings(secret: str) -> set[str]:
    """Return ``secret`` as it is, in JSON, in an address, and in base64; nothing of very short ones.

    Those would mask half of an answer.
    """
    if len(secret) < _SHORTEST:
        return set()
    in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    in_an_address = (quote(secret, safe=""), quote_plus(secret))
    return {secret, *in_json, *in_an_address, base64.b64encode(secret.encode()).decode("ascii")}
