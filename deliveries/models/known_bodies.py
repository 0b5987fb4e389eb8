"""Whether a body came before, asked for every event whose id is not signed, in the statement that stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deliveries.models.event import Event, Verdict

#: How the endpoint is compared, by the kind of database. PostgreSQL keeps a plan, and may have made it when the table
#: was new and each index as good as another; by one that begins with the endpoint it would read all of its events each
#: time. It looks for this comparison in none, so that the body's index is the only one for the look.
_ENDPOINT = {"postgresql": "endpoint_id IS NOT DISTINCT FROM %s"}
_KNOWN = "SELECT 1 FROM deliveries_event WHERE {endpoint} AND body_sha256 = %s AND verdict <> %s"


#: What PostgreSQL calls the types of a look's parameters.
TYPES = ("uuid", "bytea", "text", "text")


@dataclass(frozen=True)
class Look:
    """A look for an event of the same endpoint with the same body, and with ``key`` as ``comparison`` says.

    The hub's own do not count: they never went over a wire.
    """

    comparison: str
    key: str

    def statement(self, vendor: str) -> str:
        """Return SQL that finds a row if there is one, for a kind of database; its parameters are `values`."""
        known = _KNOWN.format(endpoint=_ENDPOINT.get(vendor, "endpoint_id = %s"))
        return f"{known} AND dedupe_key {self.comparison} %s"

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
