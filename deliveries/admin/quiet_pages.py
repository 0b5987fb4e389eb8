"""Pages of a small list: the way to the others is shown where there are others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from django.core.paginator import Paginator

    _Unfolds = Paginator[Any]
else:
    from unfold.paginator import InfinitePaginator as _Unfolds


class InfinitePaginator(_Unfolds):
    """Unfold's, which counts nothing, without its *Previous* and *Next* that lead nowhere.

    It has the same name: by that Unfold knows that there is no number of results to show.
    """

    template_name = "admin/deliveries/quiet_pages.html"
