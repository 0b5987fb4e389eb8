"""Reading which deliveries an order is about: by the filters of ``GET /deliveries/``, or one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import QueryDict

from deliveries.api.filters import DeliveryFilter
from deliveries.bulk_replay import MOST_NAMED
from deliveries.models import Delivery
from deliveries.models.transitions import DeliveryQuerySet

#: Unknown ids, and unknown filters, that an error names.
_NAMED_IN_ERRORS = 5


class Unreadable(ValueError):
    """What was given is no selection; ``errors`` has the texts by filter."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{name}: {texts[0]}" for name, texts in self.errors.items()))


def selection_from(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the selection that ``filters``, named as on ``GET /deliveries/``, mean; raises `Unreadable`.

    An empty text is refused: a list is not narrowed down by one, and an order must not be about more than was meant.
    """
    given = QueryDict(mutable=True)
    errors: dict[str, list[str]] = {}
    for name, value in filters.items():
        texts = value if isinstance(value, list) else [value]
        if name not in DeliveryFilter.base_filters:
            known = ", ".join(DeliveryFilter.base_filters)
            errors[name[:100]] = [f"No such filter; there are {known}."]
        elif not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            errors[name] = ["A text, not empty."]
        elif len(texts) > 1 and name != "status":
            errors[name] = ["One value."]
        given.setlist(name, texts)
    if errors:
        raise Unreadable(dict(list(errors.items())[: 4 * _NAMED_IN_ERRORS]))
    form = DeliveryFilter(given, queryset=Delivery.objects.none()).form
    if not form.is_valid():
        raise Unreadable({name: [str(text) for text in texts] for name, texts in form.errors.items()})
    return {name: _plain(form.cleaned_data[name]) for name in filters}


def named(ids: Sequence[UUID], *, among: DeliveryQuerySet | None = None) -> dict[str, Any]:
    """Return the selection of the deliveries ``ids``; raises `Unreadable` if there are too many, or unknown ones.

    Known are those ``among`` the given ones, by default all.
    """
    unique = list(dict.fromkeys(ids))
    if len(unique) > MOST_NAMED:
        raise Unreadable({"deliveries": [f"At most {MOST_NAMED:,}; a filter takes any number."]})
    found = set((Delivery.objects.all() if among is None else among).filter(pk__in=unique).values_list("pk", flat=True))
    missing = [str(pk) for pk in unique if pk not in found]
    if missing:
        more = f" and {len(missing) - _NAMED_IN_ERRORS} more" if len(missing) > _NAMED_IN_ERRORS else ""
        raise Unreadable({"deliveries": [f"There is no delivery {', '.join(missing[:_NAMED_IN_ERRORS])}{more}."]})
    return {"deliveries": [str(pk) for pk in unique]}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, list) else str(value)
