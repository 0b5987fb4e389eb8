"""Pages of a small list: the way to the others is shown where there are others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from django.core.paginator import Paginator

    InfinitePaginator = Paginator[Any]
else:
    from unfold.paginator import InfinitePaginator


class QuietPaginator(InfinitePaginator):
    """Unfold's, which counts nothing, without its *Previous* and *Next* that lead nowhere."""

    template_name = "admin/deliveries/quiet_pages.html"
