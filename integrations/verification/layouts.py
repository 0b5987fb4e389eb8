"""How a header holds a signature: alone, behind a prefix, or in a list with labels and a timestamp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Parsed:
    """What a header says: the signatures, still encoded, and the other fields; of a repeated field, the first."""

    signatures: Sequence[str]
    fields: dict[str, str] = field(default_factory=dict)


class Layout(Protocol):
    """A way to write signatures into a header."""

    def parse(self, text: str) -> Parsed:
        """Return what ``text`` says; a header that came twice has its values joined with "," by WSGI."""

    def format(self, signature: str, timestamp: str) -> str:
        """Return the header that holds ``signature``, and ``timestamp`` where the layout has a place for it."""


@dataclass(frozen=True)
class Plain:
    """The whole value is the signature, behind an optional prefix such as ``sha256=``."""

    prefix: str = ""

    def parse(self, text: str) -> Parsed:
        """Return every signature that has the prefix; of encoded digests none holds a comma."""
        items = text.split() if "," in self.prefix else [item.strip() for item in text.split(",")]
        return Parsed([item.removeprefix(self.prefix) for item in items if item.startswith(self.prefix)])

    def format(self, signature: str, timestamp: str) -> str:
        """Return prefix and signature."""
        return f"{self.prefix}{signature}"


@dataclass(frozen=True, kw_only=True)
class Fields:
    """A list of named fields: ``t=1700000000,v1=5257a8...,v1=6ffbb5...`` (Stripe; Paddle with ";")."""

    signature: str
    timestamp: str = ""
    separator: str = ","

    def parse(self, text: str) -> Parsed:
        """Return the values of the signature's field, and all others."""
        signatures = []
        fields: dict[str, str] = {}
        # A header that came twice is joined with a comma whatever its own separator.
        for item in text.replace(",", self.separator).split(self.separator):
            name, _, value = item.strip().partition("=")
            if name == self.signature:
                signatures.append(value)
            else:
                fields.setdefault(name, value)
        return Parsed(signatures, fields)

    def format(self, signature: str, timestamp: str) -> str:
        """Return ``t=...,v1=...``, without the first where there is no place for a timestamp."""
        fields = [(self.timestamp, timestamp)] * bool(self.timestamp) + [(self.signature, signature)]
        return self.separator.join(f"{name}={value}" for name, value in fields)


@dataclass(frozen=True)
class Versions:
    """Standard Webhooks' list: ``v1,K5oZ...= v1,abc...=``; entries of other versions are passed over."""

    version: str = "v1"

    def parse(self, text: str) -> Parsed:
        """Return the signatures of this version.

        A header that came twice reads ``v1,AAA,v1,BBB``: taken in pairs, since no signature holds a comma.
        """
        signatures = []
        for chunk in text.split():
            words = chunk.split(",")
            signatures += [value for name, value in zip(words[::2], words[1::2], strict=False) if name == self.version]
        return Parsed(signatures)

    def format(self, signature: str, timestamp: str) -> str:
        """Return ``v1,`` and the signature."""
        return f"{self.version},{signature}"
