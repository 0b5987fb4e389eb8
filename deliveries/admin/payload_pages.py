"""The list of events that are found by a value: from the index what is in it, the rest looked through."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from deliveries import payload_index, payload_search
from deliveries.admin.filters import PayloadFilter, wanted_in
from deliveries.admin.keyset import KeysetChangeList
from deliveries.models import IndexCoverage
from deliveries.paging import Place


class EventChangeList(KeysetChangeList):
    """The list of events. A search by value looks through what is not in the index yet, and asks it for the rest."""

    def _look(
        self, request: HttpRequest, start: Place | None, *, backwards: bool, within: Q | None = None
    ) -> tuple[list[Any], Place | None]:
        wanted = wanted_in(self.params.get(PayloadFilter.parameter_name))
        covered = payload_index.coverage() if wanted is not None else None
        if wanted is None or covered is None or not _begins_in(covered, start, backwards=backwards):
            return super()._look(request, start, backwards=backwards, within=within)
        newer = covered.high.newer(self._column)
        rows, bound = list[Any](), None
        if start is None or start > covered.high:
            rows, bound = super()._look(request, start, backwards=False, within=newer)
        if bound is not None or len(rows) > self.list_per_page:
            return rows, bound
        found = payload_index.look(wanted, covered, start=start, backwards=backwards)
        events = self._narrowed(request, without={PayloadFilter.parameter_name})
        if self.query:
            events, _ = self._admin.get_search_results(request, events, self.query)
        events = payload_search.shown(events).filter(pk__in=found.events).exclude(newer)
        bound = found.until or _end(covered, backwards=backwards)
        events = self._ordered(events, start, bound, backwards=backwards)
        matching = payload_search.matching(list(events.values_list("pk", flat=True)), wanted)
        left = list(islice(matching, self.list_per_page + 1 - len(rows)))
        return [*rows, *events.filter(pk__in=left).defer(*self._admin.list_defer)], bound


def _begins_in(covered: IndexCoverage, start: Place | None, *, backwards: bool) -> bool:
    """Return whether a page from ``start`` comes to what is in the index: in its order, and before anything else."""
    if start is None:
        return True
    if backwards and not start < covered.high:
        return False
    return covered.is_whole or start > covered.low


def _end(covered: IndexCoverage, *, backwards: bool) -> Place | None:
    """Return the last place that the index knows of in that direction; None if nothing is beyond it."""
    if backwards:
        return covered.high
    return None if covered.is_whole else covered.low
