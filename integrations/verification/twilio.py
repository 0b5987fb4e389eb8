"""Twilio's signature: an HMAC over the public URL and the sorted form.

https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from integrations.contracts import InboundRequest
from integrations.verification.hmac import Algorithm, Hmac
from integrations.verification.reasons import Reason, unproven
from integrations.verification.templates import FORM
from integrations.verification.texts import query_parameter, wire_bytes, with_parameter

_BODY_HASH = "bodySHA256"
_SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
_ALGORITHMS: dict[str, Algorithm] = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_URL = re.compile(r"(https?)://([^/?#]*?)(:[0-9]+)?(?=[/?#]|\Z)(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class UrlAndForm(Hmac):
    """URL, then each form field's name and value in order; of a JSON body, its hash as a parameter of the URL.

    The signature may be over the URL with its port or without, as Twilio's own library allows.
    """

    def algorithm_for(self, request: InboundRequest) -> Algorithm:
        """Return SHA-1, or what the request names when a shared key signs.

        https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys
        """
        for part in request.headers.get(_SETTINGS_HEADER, "").split(","):
            name, _, value = part.strip().partition("=")
            if name == "algorithm" and value:
                if value.upper() not in _ALGORITHMS:
                    raise unproven(Reason.ALGORITHM_UNKNOWN, header=_SETTINGS_HEADER)
                return _ALGORITHMS[value.upper()]
        return self.algorithm

    def contents(self, request: InboundRequest, timestamp: str) -> Sequence[bytes]:
        """Return URL and form; raises `VerificationFailed` for a body that neither the form nor a hash covers."""
        body_hash = wire_bytes(query_parameter(request, _BODY_HASH))
        if body_hash and not hmac.compare_digest(body_hash.lower(), sha256(request.body).hexdigest().encode()):
            raise unproven(Reason.BODY_HASH_MISMATCH, parameter=_BODY_HASH)
        if body_hash and not _has_form(request):
            return [wire_bytes(url) for url in self.urls(request)]
        return super().contents(request, timestamp)

    def urls(self, request: InboundRequest) -> Sequence[str]:
        """Return the URL as it is, with the port and without."""
        url = self.signed_url or request.url
        body_hash = query_parameter(request, _BODY_HASH)
        if self.signed_url and body_hash:
            url += f"{'&' if '?' in url else '?'}{_BODY_HASH}={body_hash}"
        match = _URL.fullmatch(url)
        if match is None:
            return [url]
        protocol, host, port, rest = match.groups()
        with_port = f"{protocol}://{host}{port or (':443' if protocol == 'https' else ':80')}{rest}"
        return list(dict.fromkeys([url, with_port, f"{protocol}://{host}{rest}"]))

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` signed; a body that is no form gets its hash into the URL."""
        if not _has_form(request) and not query_parameter(request, _BODY_HASH):
            request = with_parameter(request, f"{_BODY_HASH}={sha256(request.body).hexdigest()}")
        return super().sign(request, key, now=now)


def _has_form(request: InboundRequest) -> bool:
    return request.content_type == FORM and bool(request.body)
