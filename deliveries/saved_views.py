"""Keep the filters of a list under a name, for oneself or for the team, and forget them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext

from deliveries import audit
from deliveries.models import SavedView
from deliveries.models.saved_view import LONGEST_FILTERS, ListName
from deliveries.models.sealing import storable
from integrations.models import groups_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

#: To show a view to others: a text of one's own on their pages.
MAY_SHARE = "deliveries.replay_delivery"
#: Views that a user keeps of one list, and that a list shows.
MOST_KEPT, MOST_SHOWN = 30, 60
_LOOKED_AT = 500
#: What of a list's address is no filter: the place of a page, an order, an error.
_NO_FILTERS = frozenset({"after", "before", "p", "o", "e", "all"})


#: What of a list's address says for what somebody looked.
_UNNAMED = frozenset({"q", "value"})


class NotAView(ValueError):
    """It cannot be kept; the text says why."""


def filters_of(query: str) -> str:
    """Return what of a query string filters, in one form for what means the same; "" for nothing."""
    pairs = parse_qsl(query, keep_blank_values=False, max_num_fields=200)
    return urlencode(sorted((name, value) for name, value in pairs if name not in _NO_FILTERS))


def told(query: str) -> str:
    """Return a query string as the log may keep it: what somebody looked for may be a customer's name."""
    pairs = parse_qsl(query, max_num_fields=200)
    return urlencode([(name, "..." if name in _UNNAMED else value) for name, value in pairs]) or "all"


def is_kept(list_name: str) -> bool:
    """Return whether views of a list are kept at all."""
    return list_name in ListName.values


def views_for(user: User | AnonymousUser, list_name: str) -> list[SavedView]:
    """Return the user's own views of a list, then those that others share with them, each by name.

    A view's name and filters may tell of endpoints. So who is restricted to groups of endpoints is shown the views of
    those alone who are restricted to some of the same groups.
    """
    offered = SavedView.objects.offered_to(user).filter(list=list_name).select_related("owner")
    views = list(offered.order_by("name", "pk")[:_LOOKED_AT])
    groups = groups_of(user)
    if groups is not None:
        mine = set(groups)
        owners = {view.owner_id: view.owner for view in views if view.owner_id != user.pk}
        known = {pk for pk, owner in owners.items() if _is_within(groups_of(owner), mine)} | {user.pk}
        views = [view for view in views if view.owner_id in known]
    return sorted(views, key=lambda view: view.owner_id != user.pk)[:MOST_SHOWN]


def save(user: User, list_name: str, *, name: str, query: str, is_shared: bool, now: datetime) -> SavedView:
    """Keep the filters of ``query`` under ``name``, instead of what the user has under it; on record if it is shared.

    Raises `NotAView`, and `PermissionDenied` for who may share nothing and wants to.
    """
    name, filters = storable(" ".join(name.split()), 60), filters_of(query)
    if is_shared and not user.has_perm(MAY_SHARE):
        raise PermissionDenied
    if not name:
        raise NotAView(gettext("A view needs a name."))
    if not filters:
        raise NotAView(gettext("Nothing is filtered: choose filters first, then save them."))
    if len(filters) > LONGEST_FILTERS or "\x00" in filters or "%00" in filters:
        raise NotAView(gettext("The filters are too long to be kept."))
    own = SavedView.objects.filter(owner=user, list=list_name)
    if own.exclude(name=name).count() >= MOST_KEPT:
        raise NotAView(gettext("You keep %(most)s views of this list already: forget one first.") % {"most": MOST_KEPT})
    with transaction.atomic():
        known = own.filter(name=name).first()
        before = _noted(known) if known else None
        view, is_new = SavedView.objects.update_or_create(
            owner=user,
            list=list_name,
            name=name,
            defaults={"filters": filters, "is_shared": is_shared},
            create_defaults={"filters": filters, "is_shared": is_shared, "created_at": now},
        )
        message = f"Saved a view of the list of {view.get_list_display().lower()}{', shared' if is_shared else ''}."
        action = audit.Action.MADE if is_new else audit.Action.CHANGED
        audit.record(action, view, by=user, message=message, change=(before, _noted(view)), now=now)
    return view


def forget(view: SavedView, *, by: User) -> None:
    """Remove the view; raises `PermissionDenied` for who has neither made it nor is a superuser."""
    if view.owner_id != by.pk and not by.is_superuser:
        raise PermissionDenied
    with transaction.atomic():
        audit.record(audit.Action.REMOVED, view, by=by, message="Forgot a view.", change=(_noted(view), None))
        view.delete()


def _noted(view: SavedView) -> dict[str, Any]:
    return {"filters": told(view.filters), "is_shared": view.is_shared}


def _is_within(groups: Collection[UUID] | None, mine: set[UUID]) -> bool:
    return groups is not None and set(groups) <= mine
