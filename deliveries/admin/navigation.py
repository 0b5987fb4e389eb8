"""The sidebar: only what the user may open."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from deliveries.admin.live_tail import PERMISSIONS as OF_THE_LIVE_TAIL
from integrations.models import groups_of

# (title, icon, page, permissions with spaces between; "" means everyone)
_GROUPS: list[tuple[str | Promise, list[tuple[str | Promise, str, str, str]]]] = [
    ("", [(gettext_lazy("Home"), "home", "index", "")]),
    (
        gettext_lazy("History"),
        [
            (gettext_lazy("Events"), "inbox", "deliveries_event_changelist", "deliveries.view_event"),
            (gettext_lazy("Deliveries"), "send", "deliveries_delivery_changelist", "deliveries.view_delivery"),
            (
                gettext_lazy("Blocked keys"),
                "lock_clock",
                "deliveries_parkedkey_changelist",
                "deliveries.view_parkedkey",
            ),
            (gettext_lazy("Replays"), "replay", "deliveries_replay_changelist", "deliveries.view_replay"),
            (gettext_lazy("Rejections"), "block", "deliveries_rejection_changelist", "deliveries.view_rejection"),
            (gettext_lazy("Alerts"), "notifications", "deliveries_alert_changelist", "deliveries.view_alert"),
            (gettext_lazy("Shapes"), "schema", "deliveries_shape_changelist", "deliveries.view_shape"),
            (gettext_lazy("Live tail"), "sensors", "live-tail", " ".join(OF_THE_LIVE_TAIL)),
        ],
    ),
    (
        gettext_lazy("Set-up"),
        [
            (gettext_lazy("First steps"), "rocket_launch", "first_steps", "integrations.add_endpoint"),
            (gettext_lazy("Endpoints"), "webhook", "integrations_endpoint_changelist", "integrations.view_endpoint"),
            (gettext_lazy("Routes"), "alt_route", "integrations_route_changelist", "integrations.view_route"),
            (
                gettext_lazy("Connections"),
                "cable",
                "integrations_connection_changelist",
                "integrations.view_connection",
            ),
            (gettext_lazy("Schedules"), "schedule", "deliveries_schedule_changelist", "deliveries.view_schedule"),
            (
                gettext_lazy("Alert rules"),
                "notification_important",
                "deliveries_alertrule_changelist",
                "deliveries.view_alertrule",
            ),
            (gettext_lazy("Backfills"), "history", "deliveries_backfill_changelist", "deliveries.view_backfill"),
            (
                gettext_lazy("Groups"),
                "folder",
                "integrations_endpointgroup_changelist",
                "integrations.view_endpointgroup",
            ),
        ],
    ),
    (
        gettext_lazy("Hub"),
        [
            (gettext_lazy("Workers"), "memory", "deliveries_worker_changelist", "deliveries.view_worker"),
            (gettext_lazy("Load"), "speed", "deliveries_acceptonly_changelist", "deliveries.view_worker"),
            (gettext_lazy("Users"), "person", "auth_user_changelist", "auth.view_user"),
            (gettext_lazy("Roles"), "group", "auth_group_changelist", "auth.view_group"),
            (gettext_lazy("Audit log"), "fact_check", "deliveries_auditentry_changelist", "deliveries.view_auditentry"),
            (gettext_lazy("Erasures"), "ink_eraser", "deliveries_erasure_changelist", "deliveries.view_erasure"),
            (gettext_lazy("API tokens"), "key", "knox_authtoken_changelist", ""),
        ],
    ),
]


#: Pages that are shut to who is restricted to groups of endpoints.
_SHUT = frozenset(
    {
        "auth_user_changelist",
        "auth_group_changelist",
        "deliveries_erasure_changelist",
        "deliveries_parkedkey_changelist",
    }
)


#: Pages that are no model's, at addresses of their own.
_OUTSIDE = frozenset({"live-tail"})


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups and links for this user; Unfold calls this."""
    groups = []
    shut = _SHUT if groups_of(request.user) is not None else frozenset()
    for title, entries in _GROUPS:
        items = [
            _item(request, name, icon, page)
            for name, icon, page, permissions in entries
            if page not in shut and request.user.has_perms(permissions.split())
        ]
        if items:
            groups.append({"title": title, "separator": bool(title), "items": items})
    return groups


def group_of(address: str) -> str | Promise:
    """Return the title of the group in which the sidebar has a link to ``address``; "" for what is in none."""
    for title, entries in _GROUPS:
        if any(page not in _OUTSIDE and reverse(f"admin:{page}") == address for _, _, page, _ in entries):
            return title
    return ""


def _item(request: HttpRequest, name: str | Promise, icon: str, page: str) -> dict[str, Any]:
    item = {"title": name, "icon": icon, "link": reverse(page if page in _OUTSIDE else f"admin:{page}")}
    # The first steps are below the endpoints, and a link of their own.
    if page == "integrations_endpoint_changelist" and request.path.startswith(reverse("admin:first_steps")):
        return {**item, "active": False}
    return item


def account(request: HttpRequest) -> list[dict[str, str]]:
    """Return what a user can change of how they log in."""
    links = [
        {"title": gettext("Second factor"), "link": reverse("mfa_index")},
        {"title": gettext("Log out elsewhere"), "link": reverse("own-sessions")},
    ]
    if request.user.is_authenticated and request.user.has_usable_password():
        links.insert(0, {"title": gettext("Change password"), "link": reverse("admin:password_change")})
    return links
