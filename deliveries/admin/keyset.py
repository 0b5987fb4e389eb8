"""Lists of large tables: pages by the place of a row, without a COUNT, and with a bound on what is looked through."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import structlog
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import InterfaceError, OperationalError
from django.db.models import Case, F, Q, QuerySet, RowRange, Sum, When, Window
from django.http import HttpRequest

from deliveries import replica
from deliveries.paging import Place
from deliveries.payload_search import LARGEST_BYTES, LOOKED_THROUGH_BYTES

logger = structlog.get_logger(__name__)

_AFTER, _BEFORE = "after", "before"
#: Rows that a filter without an index looks through for one page.
LOOKED_THROUGH = 20_000


class SafeChangeList(ChangeList):
    """A list that takes any query string: what no column can hold is a bad lookup, not an error of the database."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        if any("\x00" in value for values in request.GET.lists() for value in (values[0], *values[1])):
            raise IncorrectLookupParameters("A NUL character is in no column.")
        super().__init__(request, *args, **kwargs)

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Return the rows without the columns that only a page of its own shows."""
        rows = super().get_queryset(request, *args, **kwargs)
        return rows.defer(*getattr(self.model_admin, "list_defer", ()))


@dataclass(frozen=True)
class Pages:
    """What Django's list asks a paginator for; ``previous`` and ``next`` are addresses, or ""."""

    per_page: int
    previous: str = ""
    next: str = ""
    newest: str = ""
    looked_back_to: datetime | None = None
    #: How old what the replica says is, in words; "" if it was not asked.
    replica: str = ""
    template_name: str = "admin/deliveries/keyset.html"


class KeysetChangeList(SafeChangeList):
    """A list whose pages begin at a row, so that they stay right while rows come in.

    The admin names the moment it is ordered by in ``keyset``, and in ``without_index`` the parameters of filters that
    no index serves: with one of those a page ends after `LOOKED_THROUGH` rows, and says how far back they went.
    """

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self._cursor = {name: request.GET[name] for name in (_AFTER, _BEFORE) if request.GET.get(name)}
        super().__init__(request, *args, **kwargs)

    @property
    def _admin(self) -> Any:
        return self.model_admin

    @property
    def _column(self) -> str:
        return str(self._admin.keyset)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Return the parameters that filter, without the place of the page."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in {_AFTER, _BEFORE}}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Return a query string that begins at the newest row, unless ``new_params`` names a place."""
        return super().get_query_string(new_params, [*(remove or []), _AFTER, _BEFORE])

    def get_results(self, request: HttpRequest) -> None:
        """Fill in the rows of the page and the ways to those beside it; from the replica, if there is one."""
        if not replica.is_there():
            self._get_results(request)
            return
        try:
            with replica.reading():
                self._get_results(request)
            self.paginator = replace(self.paginator, replica=replica.in_words())
        except (OperationalError, InterfaceError) as exc:
            logger.warning("replica.failed", error_type=type(exc).__name__)
            self._get_results(request)

    def _get_results(self, request: HttpRequest) -> None:
        try:
            place = {name: Place.read(text) for name, text in self._cursor.items()}
        except ValueError as exc:
            raise IncorrectLookupParameters(str(exc)) from exc
        backwards = _BEFORE in place and _AFTER not in place
        found, bound = self._look(request, place.get(_BEFORE if backwards else _AFTER), backwards=backwards)
        self._fill(found, place, backwards=backwards, bound=bound)

    def _look(
        self, request: HttpRequest, start: Place | None, *, backwards: bool, within: Q | None = None
    ) -> tuple[list[Any], Place | None]:
        """Return the rows of the page that begins at ``start`` and one more, and the last place that it may look at.

        ``backwards`` is towards the newer ones. The place is None if the page may look at all, or all is nearer.
        """
        within = within or Q()
        bound = self._bound(request, start, backwards=backwards, within=within)
        return self._found(self._ordered(self.queryset.filter(within), start, bound, backwards=backwards)), bound

    def _ordered(
        self, rows: QuerySet[Any], start: Place | None, bound: Place | None, *, backwards: bool
    ) -> QuerySet[Any]:
        """Return those of ``rows`` from the one place to the other, in the order in which they are looked at."""
        column = self._column
        if start is not None:
            rows = rows.filter(start.newer(column) if backwards else start.older(column))
        if bound is not None:
            rows = rows.exclude(bound.newer(column) if backwards else bound.older(column))
        order = (column, "pk") if backwards else (f"-{column}", "-pk")
        return rows.order_by(*order)

    def _found(self, rows: QuerySet[Any]) -> list[Any]:
        """Return the rows of the page and one more; those alone that the admin's ``checked`` leaves, if it has one."""
        checked = self._admin.checked(self.params)
        if checked is not None:
            left = islice(checked(list(rows.values_list("pk", flat=True))), self.list_per_page + 1)
            rows = rows.filter(pk__in=list(left))
        return list(rows[: self.list_per_page + 1])

    def _narrowed(self, request: HttpRequest, *, without: Collection[str]) -> QuerySet[Any]:
        """Return the rows that all filters but those of the parameters ``without`` leave."""
        rows = self.root_queryset
        for spec in self.filter_specs:
            if getattr(spec, "parameter_name", "") not in without:
                narrowed = spec.queryset(request, rows)
                rows = rows if narrowed is None else narrowed
        return rows

    def _bound(self, request: HttpRequest, start: Place | None, *, backwards: bool, within: Q) -> Place | None:
        slow = {name for name in self._admin.without_index if self.params.get(name)}
        if not slow:
            return None
        column = self._column
        rows = self._narrowed(request, without=slow).select_related(None).filter(within)
        ordered = self._ordered(rows, start, None, backwards=backwards)
        most = min(LOOKED_THROUGH, self._admin.looked_through)
        last = next((Place(*row) for row in ordered.values_list(column, "pk")[most - 1 : most]), None)
        if self._admin.checked(self.params) is None:
            return last
        ordered = self._ordered(rows, start, last, backwards=backwards)
        return _bound_by_bytes(ordered, column, backwards=backwards) or last

    def _fill(self, found: list[Any], place: Mapping[str, Place], *, backwards: bool, bound: Place | None) -> None:
        more = len(found) > self.list_per_page
        page = found[: self.list_per_page]
        if backwards:
            page.reverse()
        column = self._column
        ends = [Place(getattr(row, column), row.pk) for row in (page[:1] + page[-1:])]
        newer = (ends[0] if more else bound) if backwards else (place.get(_AFTER) and (ends[0] if ends else None))
        older = (ends[-1] if ends else place[_BEFORE]) if backwards else (ends[-1] if more else bound)
        self.result_list = page
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = Pages(
            per_page=self.list_per_page,
            previous=self.get_query_string({_BEFORE: str(newer)}) if newer else "",
            next=self.get_query_string({_AFTER: str(older)}) if older else "",
            newest=self.get_query_string() if place else "",
            looked_back_to=bound.at if bound and not more and not backwards else None,
        )


def _bound_by_bytes(rows: QuerySet[Any], column: str, *, backwards: bool) -> Place | None:
    """Return the place of that of ``rows`` up to which the bodies that are looked through add up; None if all are few.

    The database adds them up: to fetch the sizes of 20,000 rows would take longer than to look through them.
    """
    each = Case(When(body_bytes__lte=LARGEST_BYTES, then=F("body_bytes")), default=0)
    order = [F(name).asc() if backwards else F(name).desc() for name in (column, "pk")]
    so_far = Window(Sum(each), order_by=order, frame=RowRange(start=None, end=0))
    over = rows.annotate(so_far=so_far).filter(so_far__gte=LOOKED_THROUGH_BYTES)
    return next((Place(*row) for row in over.values_list(column, "pk")[:1]), None)
