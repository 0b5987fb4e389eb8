"""The interface of a scheme, and the scheme that proves nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from integrations.contracts import InboundRequest
from integrations.verification.reasons import Reason, unproven

#: Of an endpoint's live secrets so many are tried, the newest; each costs a digest of the body.
MAX_KEYS = 10


class Scheme(ABC):
    """How a request proves its origin. Schemes raise, never return False; they compare bytes in constant time."""

    #: What operators and the API call this kind of proof: ``hmac``, ``token``, ``basic``, ``ed25519``, ``none``.
    kind: ClassVar[str]
    #: Whether the secret that verifies can also sign (test events); asymmetric schemes need a key pair of their own.
    symmetric: ClassVar[bool] = True
    #: Whether the scheme needs a secret at all.
    needs_key: ClassVar[bool] = True

    @abstractmethod
    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Return the index in ``keys`` of the one that proves ``request``; raises `VerificationFailed`.

        Timestamps are judged against ``request.received_at``. No key, or an empty one, proves nothing.
        """

    @abstractmethod
    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` with the proof that the provider would add, made with ``key`` at ``now``.

        For an asymmetric scheme ``key`` is the private half that `new_pair` returned.
        """

    @abstractmethod
    def check_key(self, key: str) -> None:
        """Raise ValueError, with a text for the operator, if ``key`` cannot be a key of this scheme."""

    def new_pair(self) -> tuple[str, str]:
        """Return a new (public, private) pair of texts; only asymmetric schemes have one."""
        raise TypeError(f"{self.kind} has no key pairs")

    @property
    def covers_body(self) -> bool:
        """Whether the proof fits this body alone; if not, it tells who sends and nothing of what."""
        return False

    @property
    def shows_key(self) -> bool:
        """Whether the proof is the secret itself, so that whoever reads a request has it."""
        return False

    @property
    def covered_headers(self) -> frozenset[str]:
        """Headers whose text the proof covers, lower-case."""
        return frozenset()

    @property
    def proof_headers(self) -> frozenset[str]:
        """Headers that carry the proof, lower-case: stored encrypted, masked, not forwarded."""
        return frozenset()

    @property
    def proof_parameters(self) -> frozenset[str]:
        """Query parameters that carry the proof: stored encrypted and masked."""
        return frozenset()


class Open(Scheme):
    """No proof at all: for ``generic_none``, which the admin warns about."""

    kind = "none"
    needs_key = False

    def verify(self, request: InboundRequest, keys: Sequence[str]) -> int:
        """Accept anything; there is no key to name."""
        return -1

    def sign(self, request: InboundRequest, key: str, *, now: datetime) -> InboundRequest:
        """Return ``request`` as it is."""
        return request

    def check_key(self, key: str) -> None:
        """Refuse any: a secret here would suggest a protection that is not there."""
        raise ValueError("This provider proves nothing, so a secret would protect nothing.")


def usable(keys: Sequence[str], check_key: Callable[[str], None]) -> list[tuple[int, str]]:
    """Return those of ``keys`` that pass ``check_key``, each with its index; raises `VerificationFailed` if none does.

    Checked again here, and not only when a secret is saved: what a reference leads to can become empty.
    """
    found = []
    for index, key in enumerate(keys[:MAX_KEYS]):
        try:
            check_key(key)
        except ValueError:
            continue
        found.append((index, key))
    if not found:
        raise unproven(Reason.NO_LIVE_SECRET, secrets=len(keys))
    return found
