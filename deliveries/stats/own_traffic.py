"""Endpoints at which the hub talks to itself: what comes there is nobody's traffic, and is not counted as such."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from integrations.models import Endpoint

#: The endpoint of the self-check.
SELF_CHECK = "hub-self-check"
_MOST_KNOWN = 10_000


class OwnTraffic:
    """Knows which endpoints are the hub's own; asks once for each, as that does not change."""

    def __init__(self) -> None:
        self._known: dict[UUID, bool] = {}

    def of(self, endpoints: Collection[UUID]) -> set[UUID]:
        """Return those of ``endpoints`` that are the hub's own."""
        unknown = set(endpoints) - self._known.keys()
        if unknown:
            if len(self._known) + len(unknown) > _MOST_KNOWN:
                self._known.clear()
                unknown = set(endpoints)
            slugs = Endpoint.objects.filter(pk__in=unknown).values_list("pk", "slug")
            self._known |= {pk: slug == SELF_CHECK for pk, slug in slugs}
        return {pk for pk in endpoints if self._known.get(pk)}
