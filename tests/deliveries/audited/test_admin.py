"""Every address that a browser can post to is used and leaves an entry in the audit log, or changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.test import RequestFactory

from deliveries.admin.history import HistoryAdmin
from tests.deliveries.audited import comings  # noqa: F401 - its doings are among them
from tests.deliveries.audited.doings import DOINGS
from tests.deliveries.audited.site import Site, addresses, filled, key_of

pytestmark = pytest.mark.any_database

#: What may be written in a transaction before the one of the entry: how somebody's call went, when a secret was used,
#: or an event, which goes the way that all take and is a record of itself.
EVENT = {"deliveries_delivery", "deliveries_event", "integrations_secret"}
BEFORE = {
    "account_login": {"auth_user"},  # when they came last
    "deliveries_alertrule_test": EVENT,
    "integrations_endpoint_test": EVENT,
    "integrations_endpoint_try": EVENT,
    "deliveries_rejection_reverify": EVENT,
    "deliveries_rejection_changelist": EVENT,
    "mfa_authenticate": {"auth_user", "mfa_authenticator"},  # a code is used up before anything comes of it
    "mfa_reauthenticate": {"mfa_authenticator"},
    "openid_connect_callback": {"auth_user", "socialaccount_socialaccount"},  # when they came last, and by whom
    "integrations_connection_test": {"integrations_connectionhealth"},
}
#: Pages that show, ask or try: a POST to them changes nothing, and is sent to see that.
SHOWS = {
    "index", "app_list", "admin/autocomplete/", "admin/search/", "jsi18n", "view_on_site", "home-live", "live-tail",
    "live-tail-lines", "password_change_done", "mfa_index", "mfa_view_recovery_codes", "mfa_download_recovery_codes",
    "deliveries_acceptonly_changelist", "deliveries_delivery_failures", "deliveries_erasure_changelist",
    "deliveries_erasure_change", "deliveries_event_difference", "deliveries_event_payload",
    "deliveries_parkedkey_changelist", "deliveries_replay_progress", "first_steps", "first_steps_go_on",
    "first_steps_event", "first_steps_event_state", "first_steps_route", "first_steps_done", "first_steps_done_state",
    "integrations_endpoint_preview", "integrations_route_config", "integrations_route_preview",
    "socialaccount_login_cancelled", "socialaccount_login_error", "socialaccount_signup",
}  # fmt: skip
#: What answers at the same address before it: these are not reached.
HIDDEN = {"login", "password_change", "autocomplete", "search"}
#: Steps of coming in that change nothing but the session: what comes of them is noted at the next one.
SESSION = {"account_reauthenticate", "openid_connect_login"}
#: Users are switched off, not deleted.
REFUSED = {"auth_user_delete"}


@pytest.fixture
def site(db: None) -> Site:
    cache.clear()
    return Site()


@pytest.mark.parametrize(("name", "variant"), sorted(DOINGS), ids=[" ".join(key).strip() for key in sorted(DOINGS)])
def test_what_was_done_is_in_the_audit_log(site: Site, name: str, variant: str) -> None:
    answer = DOINGS[name, variant](site)
    watched = site.watched

    assert key_of(site.address) == name
    assert answer.status_code in {200, 302}, answer.content[:300]
    problems = watched.problems(site.user, via="admin", request_id=answer["X-Request-ID"])
    assert problems == [], (watched.tables, answer.get("Location"))
    assert watched.apart <= BEFORE.get(name, set()), [entry.message for entry in watched.entries]


def test_every_address_is_used_or_changes_nothing() -> None:
    known = {name for name, _ in DOINGS} | set(changing_nothing()) | HIDDEN | SESSION

    assert {key for key, _ in addresses()} - known == set(), "use it in doings.py, or name it in SHOWS"
    assert known - {key for key, _ in addresses()} == set(), "there is no such address any more"


def test_every_action_on_ticked_rows_is_used(site: Site) -> None:
    request = RequestFactory().get("/admin/")
    request.user = site.user
    offered = {
        (f"{page.opts.app_label}_{page.opts.model_name}_changelist", action)
        for page in admin.site._registry.values()
        for action in page.get_actions(request)
    }
    leads_on = {("deliveries_delivery_changelist", "replay_in_bulk")}  # to the page of an order, which is used

    assert offered - leads_on == {key for key in DOINGS if key[0].endswith("_changelist") and "auth" not in key[0]}


def test_what_changes_nothing_changes_nothing(site: Site) -> None:
    routes = {key: route for key, route in addresses() if key in changing_nothing()}
    assert len(routes) > 60

    for route in routes.values():
        for address in filled(route, site):
            site.post(address, confirmed="yes", post="yes", action="delete_selected", name="x")
            assert site.watched.tables == set(), address


def test_nothing_is_changed_by_looking(site: Site) -> None:
    for key, route in addresses():
        for address in filled(route, site) if key not in SESSION | HIDDEN else ():
            site.get(address)
            assert site.watched.tables == set(), address


def changing_nothing() -> Iterator[str]:
    """Yield the names of what changes nothing: what only shows, and what history and fixed rows have no use for."""
    yield from SHOWS | REFUSED
    yield r"admin/(?P<url>.*)$"
    used = {name for name, _ in DOINGS}
    for page in admin.site._registry.values():
        base = f"{page.opts.app_label}_{page.opts.model_name}"
        for pattern in page.get_urls():
            name, route = pattern.name or "", f"admin/{page.opts.app_label}/{page.opts.model_name}/{pattern.pattern}"
            if name in {f"{base}_changelist", f"{base}_history"} and name not in used:
                yield name
            elif not name:  # leads to the page of the row
                yield route
            elif isinstance(page, HistoryAdmin) and name in {f"{base}_{view}" for view in ("add", "change", "delete")}:
                yield name
