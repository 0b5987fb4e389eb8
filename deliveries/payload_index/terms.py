"""What the index knows of a payload: a number of 32 bits for each field with its value, hashed under a key."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from deliveries.models import Event
from deliveries.payload_search import LARGEST_BYTES, Wanted, text_of
from integrations.providers import providers

#: Terms of one event, and values that are looked at for them: of a payload with more nobody knows all.
MOST_TERMS, MOST_VALUES = 2_000, 20_000
_TERM_BYTES, _MOST_PATHS = 4, 10_000


class TermsOfPayloads:
    """The terms of payloads and of what is looked for, under one key."""

    def __init__(self, key: bytes) -> None:
        self._empty = hashlib.blake2b(key=key, digest_size=_TERM_BYTES)
        #: Hashes that have taken in a path already: of its values each begins there.
        self._begun: dict[tuple[str, ...], hashlib.blake2b] = {}

    def of_event(self, event: Event) -> Set[int] | None:
        """Return the terms of what is shown of ``event``: none where nothing is; None if nobody can tell them all.

        Its endpoint and its batch are loaded already.
        """
        if event.hides_body or event.body_is_encrypted or event.body_bytes > LARGEST_BYTES:
            return frozenset()
        try:
            payload = event.shown_payload
        except ImproperlyConfigured:  # its batch is encrypted, under a key that is lost
            return None
        if payload is None and (event.provider not in providers or event.needs_batch_to_mask):
            return None  # it can be read again once the preset, or the batch, is back
        return self.of_payload(payload)

    def of_payload(self, payload: Any) -> Set[int] | None:
        """Return the terms of ``payload``; None if there are more than the index takes."""
        found: set[int] = set()
        looked_at = 0
        waiting: list[tuple[tuple[str, ...], Any]] = [((), payload)]
        while waiting:
            path, value = waiting.pop()
            looked_at += 1
            if looked_at > MOST_VALUES or len(found) > MOST_TERMS:
                return None
            if isinstance(value, dict):
                waiting.extend(((*path, name), child) for name, child in value.items())
            elif isinstance(value, list):
                waiting.extend((path, child) for child in value)
            elif path:
                found.add(self._term(path, text_of(value)))
        return found

    def of_wanted(self, wanted: Wanted) -> int:
        """Return the term of each payload that has the value."""
        return self._term(wanted.path, wanted.value)

    def _term(self, path: tuple[str, ...], text: str) -> int:
        hashed = (self._begun.get(path) or self._begin(path)).copy()
        hashed.update(text.encode("utf-8", "surrogatepass"))
        return int.from_bytes(hashed.digest(), "big")

    def _begin(self, path: tuple[str, ...]) -> hashlib.blake2b:
        # A number in a path may be a place in a list, which the term of a payload does not have.
        names = "\0".join(name for name in path if not name.isdecimal())
        hashed = self._empty.copy()
        hashed.update(f"{names}\0\0".encode("utf-8", "surrogatepass"))
        if len(self._begun) >= _MOST_PATHS:  # names may be data, of which there is no end
            self._begun.clear()
        self._begun[path] = hashed
        return hashed
