"""Contentful: https://www.contentful.com/developers/docs/extensibility/app-framework/request-verification/.

The request itself lists the headers that are signed with it: method, path, those headers, body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from integrations.contracts import InboundRequest, Sample
from integrations.providers import Provider, Settings, providers, settings_schema
from integrations.providers.samples import json_sample
from integrations.verification import Hmac, Reason, Scheme, Timestamp, unproven
from integrations.verification.texts import wire_bytes, with_headers

_LIST = "x-contentful-signed-headers"
_TIME = "x-contentful-timestamp"
_SIGNATURE = "x-contentful-signature"
_MOST_HEADERS = 100
# What JavaScript's encodeURI leaves as it is, and querystring.escape: the signer uses one over the other.
_KEPT_BY_URI = ";,/?:@&=+$#-_.!~*'()"
_KEPT_BY_ESCAPE = "-_.!~*'()"


@dataclass(frozen=True, kw_only=True)
class ListedHeaders(Hmac):
    """Method, path, the listed headers and the body, a line each; the time has to be among the headers."""

    def contents(self, request: InboundRequest, timestamp: str) -> Sequence[bytes]:
        """Return the signed text; raises `VerificationFailed` if the list lacks the time or names what is not there."""
        names = sorted({name.strip().lower() for name in request.headers.get(_LIST, "").split(",")} - {""})
        for needed in (_LIST, _TIME):
            if needed not in names:
                raise unproven(Reason.SIGNED_HEADER_MISSING, header=needed)
        if len(names) > _MOST_HEADERS:
            raise unproven(Reason.SIGNED_HEADER_MISSING, headers=len(names), allowed=_MOST_HEADERS)
        lines = []
        for name in names:
            value = request.headers.get(name)
            if value is None:
                raise unproven(Reason.SIGNED_HEADER_MISSING, header=name[:100])
            lines.append(f"{name}:{value.strip()}")
        headers = wire_bytes(";".join(lines))
        return [
            b"\n".join([wire_bytes(request.method), _path(url).encode(), headers, request.body])
            for url in self.urls(request)
        ]

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` signed, with its content type and Contentful's own headers on the list."""
        own = {name.lower() for name in request.headers if name.lower().startswith("x-contentful-")} - {_SIGNATURE}
        names = sorted(own | {_LIST, _TIME} | {name for name in ("content-type",) if name in request.headers})
        return super().sign(with_headers(request, {_LIST: ",".join(names)}), key, now=now)


def _path(url: str) -> str:
    """Return path and query as Contentful's library writes them, the query escaped twice."""
    address, _, query = url.partition("?")
    path = "/" + address.partition("://")[2].partition("/")[2]
    escaped = f"?{quote(wire_bytes(query), safe=_KEPT_BY_ESCAPE)}" if query else ""
    return quote(wire_bytes(path + escaped), safe=_KEPT_BY_URI)


def _scheme(settings: Settings) -> Scheme:
    return ListedHeaders(
        headers=(_SIGNATURE,),
        template=f"{{method}}\n{{path}}\n{{header:{_LIST}}}\n{{timestamp}}\n{{body}}",
        timestamp=Timestamp(headers=(_TIME,), unit="ms", tolerance_seconds=30),
        signed_url=settings.get("signed_url", ""),
    )


def _sample(event_type: str, event_id: str) -> Sample:
    topic = event_type or "ContentManagement.Entry.publish"
    entry = {"sys": {"type": "Entry", "id": "nyancat", "space": {"sys": {"type": "Link", "id": "cfexampleapi"}}}}
    headers = {"X-Contentful-Topic": topic, "X-Contentful-Idempotency-Key": event_id}
    sample = json_sample({**entry, "fields": {"name": {"en-US": "A test event from the hub."}}}, headers)
    return replace(sample, content_type="application/vnd.contentful.management.v1+json")


providers.register("contentful")(
    Provider(
        name="Contentful",
        documentation_url="https://www.contentful.com/developers/docs/webhooks/",
        scheme=_scheme,
        settings_schema=settings_schema(
            {
                "signed_url": {
                    "type": "string",
                    "title": "Signed URL",
                    "description": "The URL exactly as it is entered at Contentful, if that is not this endpoint's own "
                    "address; its path and query are signed.",
                    "pattern": "^https?://[^\\s]+$",
                    "maxLength": 2000,
                }
            }
        ),
        event_id=("header:X-Contentful-Idempotency-Key",),
        event_type=("header:X-Contentful-Topic",),
        secret_help="Contentful, Settings, Webhooks, Settings: the signing secret (64 characters), shown once when it "
        "is made.",
        deadline_seconds=30,
        sample=_sample,
    )
)
