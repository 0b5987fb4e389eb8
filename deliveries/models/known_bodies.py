"""Whether a body came before, asked for every event whose id is not signed, in the statement that stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deliveries.models.event import Event, Verdict

_KNOWN = "SELECT 1 FROM deliveries_event WHERE endpoint_id = %s AND body_sha256 = %s AND verdict <> %s"


#: What PostgreSQL calls the types of a look's parameters.
TYPES = ("uuid", "bytea", "text", "text")


@dataclass(frozen=True)
class Look:
    """A look for an event of the same endpoint with the same body, and with ``key`` as ``comparison`` says.

    The hub's own do not count: they never went over a wire.
    """

    comparison: str
    key: str

    @property
    def statement(self) -> str:
        """SQL that finds a row if there is one; its parameters are `values`."""
        return f"{_KNOWN} AND dedupe_key {self.comparison} %s"

    def values(self, event: Event, connection: Any) -> list[Any]:
        """Return the parameters for ``event``."""
        endpoint: Any = event._meta.get_field("endpoint").get_db_prep_value(event.endpoint_id, connection)
        return [endpoint, bytes(event.body_sha256), Verdict.INTERNAL.value, self.key]


def under_another_key(event: Event) -> Look:
    """Return the look for the body of ``event`` under another key than its own."""
    return Look("<>", event.dedupe_key)


def under_key_with(prefix: str) -> Look:
    """Return the look for one whose key begins with ``prefix``, which holds no wildcard."""
    return Look("LIKE", f"{prefix}%")
