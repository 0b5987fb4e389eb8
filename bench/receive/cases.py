"""What is measured: each case is an endpoint of its own, and requests for it."""

from __future__ import annotations

from dataclasses import dataclass

#: The handler of every route that is measured: it does nothing, so what is seen is the hub.
HANDLER = "bench.trivial"
KILOBYTE = 1024
CONNECTIONS = (1, 8, 32, 128)
#: Few enough to be stored within a second, many enough that no two connections hold the same row for long.
_REPEATED = 200


@dataclass(frozen=True)
class Case:
    """Requests of ``body_bytes`` for an endpoint with so many routes that match.

    ``held`` deliveries are made and not run; ``repeated`` requests were all stored before; ``forged`` ones are refused.
    """

    name: str
    title: str
    routes: int = 1
    body_bytes: int = KILOBYTE
    held: bool = False
    repeated: bool = False
    forged: bool = False

    @property
    def stores(self) -> bool:
        """Whether each request becomes an event."""
        return not self.repeated and not self.forged

    def slug(self, connections: int) -> str:
        """Return the endpoint's name for a run with so many connections."""
        return f"{self.name}-{connections}"

    def prepared(self, *, seconds: float, most: int) -> int:
        """Return how many requests to prepare: as many as could be answered at ``most`` a second."""
        if self.forged or self.repeated:
            return _REPEATED
        return int(seconds * (most if self.body_bytes <= KILOBYTE else most / 5))


CASES = (
    Case("held", "deliveries held", held=True),
    Case("working", "workers running"),
    Case("ten-routes", "ten routes", routes=10),
    Case("large", "bodies of 100 KB", body_bytes=100 * KILOBYTE),
    Case("repeated", "duplicates", repeated=True),
    Case("forged", "bad signatures", forged=True),
)
