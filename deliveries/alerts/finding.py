"""What a rule finds: one thing that is wrong, and where to look."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from deliveries.concerns.concern import Concern, Page, Place
from deliveries.concerns.sight import Sight


@dataclass(frozen=True)
class Finding:
    """``text`` is what is the case, ``next_step`` what to do; ``key`` stays the same for as long as it lasts.

    ``endpoint`` is whose it is: who may not see that endpoint is not told. None is for those who see all.
    """

    key: str
    about: str
    text: str
    next_step: str
    place: Place | None = None
    endpoint: UUID | None = None

    @classmethod
    def of(cls, concern: Concern, sight: Sight) -> Finding:
        """Return ``concern`` as a finding."""
        place = concern.place
        return cls(concern.key, concern.about, concern.text, concern.next_step, place, endpoint_of(place, sight))


def endpoint_of(place: Place, sight: Sight) -> UUID | None:
    """Return the endpoint that ``place`` belongs to; None if that is no endpoint alone."""
    filters = place.filters
    route = filters.get("route") or (place.pk if place.page == Page.ROUTE else None)
    if route is not None:
        found = sight.routes.get(UUID(str(route)))
        return None if found is None else found.endpoint_id
    named = filters.get("endpoint") or (place.pk if place.page == Page.ENDPOINT else None)
    return UUID(str(named)) if named is not None else None
