"""Inbound requests for tests, and the payload files that they carry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from integrations.contracts import InboundRequest, case_insensitive
from integrations.verification.templates import FORM

PAYLOADS = Path(__file__).parent.parent / "fixtures" / "payloads"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def payload(name: str) -> bytes:
    """Return a payload file's bytes, without the line feed that ends a text file."""
    return (PAYLOADS / name).read_bytes().removesuffix(b"\n")


def content_type_of(name: str) -> str:
    return FORM if name.endswith(".form") else "application/json"


def make_request(
    body: bytes = b"{}",
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
    method: str = "POST",
    url: str = "https://hub.example.com/hooks/shop",
    received_at: datetime = NOW,
) -> InboundRequest:
    return InboundRequest(
        method=method,
        url=url,
        query_string=url.partition("?")[2],
        headers=case_insensitive({"Content-Type": content_type, **(headers or {})}),
        body=body,
        received_at=received_at,
    )
