"""How each address of the admin that changes something is used so that it does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from deliveries import saved_views
from deliveries.models import AcceptOnly, Event, ParkedKey
from integrations.models import Connection, Endpoint, Secret
from tests.deliveries.admin.endpoint_form import fields_of, new_route, new_secret, route_fields
from tests.deliveries.audited.site import Site
from tests.deliveries.execution.lines import claim, close, line, ordered_route
from tests.factories import make_endpoint, make_route

Doing = Callable[[Site], Any]
#: By the name of the address; of a list, by that and the action.
DOINGS: dict[tuple[str, str], Doing] = {}
TYPED = "Zw8-the-credential-that-was-typed"
LISTS = ("delivery", "event", "rejection")


def doing(name: str, variant: str = "") -> Callable[[Doing], Doing]:
    def added(function: Doing) -> Doing:
        assert (name, variant) not in DOINGS
        DOINGS[name, variant] = function
        return function

    return added


def _simple(name: str, kind: str, number: int = 0, variant: str = "", *more: Any, **data: Any) -> None:
    """An order that is a button: its address has the id of a row."""
    DOINGS[name, variant] = lambda site: site.post(name, site.id(kind, number), *more, **data)


def _confirmed(name: str, kind: str) -> None:
    DOINGS[f"{name}_delete", ""] = lambda site: site.post(f"{name}_delete", site.id(kind), post="yes")


def _selected(name: str, action: str, kind: str, number: int = 0, **data: Any) -> None:
    DOINGS[f"{name}_changelist", action] = lambda site: site.post(
        f"{name}_changelist", action=action, _selected_action=[site.id(kind, number)], index=0, **data
    )


# -- orders about one row ---------------------------------------------------------------------------------------------
for _order in ("replay", "replay_from_start"):
    _simple("deliveries_delivery_order", "deliveries", 0, _order, _order, confirmed="yes")
    _selected("deliveries_delivery", _order, "deliveries", confirmed="yes")
_simple("deliveries_delivery_order", "deliveries", 2, "discard", "discard", confirmed="yes", reason="not wanted")
_selected("deliveries_delivery", "discard", "deliveries", 2, confirmed="yes")
_simple("deliveries_alertrule_test", "alert-rules")
_simple("deliveries_backfill_order", "backfills")
_simple("deliveries_erasure_confirm", "erasures", confirmed="yes")
_simple("deliveries_erasure_cancel", "erasures")
_simple("deliveries_event_reroute", "events", confirmed="yes")
_simple("deliveries_event_fixture", "events")
_simple("deliveries_event_reveal", "events", 1, reason="a complaint")
_simple("deliveries_event_body", "events", 1, reason="a complaint")
_simple("deliveries_event_legal_hold", "events", reason="a case")
_simple("deliveries_rejection_reverify", "rejections", confirmed="yes")
_selected("deliveries_rejection", "reverify", "rejections", confirmed="yes")
_simple("deliveries_replay_order", "replays", 0, "pause", "pause")
_simple("deliveries_replay_order", "replays", 1, "resume", "resume")
_simple("deliveries_replay_order", "replays", 0, "cancel", "cancel", confirmed="yes")
_simple("deliveries_schedule_run", "schedules")
_simple("deliveries_shape_accept", "shapes")
_simple("integrations_route_dry_run", "routes", last="5")
_simple("integrations_route_off", "routes")
_simple("integrations_route_pause", "routes")
_simple("integrations_route_resume", "routes", 1)


@doing("deliveries_event_legal_hold", "lift")
def _(site: Site) -> Any:
    Event.objects.update(legal_hold="a case")
    return site.post("deliveries_event_legal_hold", site.id("events"), lift="yes", confirmed="yes")


@doing("deliveries_event_edit")
def _(site: Site) -> Any:
    return site.post(
        "deliveries_event_edit", site.id("events"), payload='{"id": "o-1001", "total": 7}', which="all",
        order=str(uuid.uuid4()), confirmed="yes",
    )  # fmt: skip


@doing("deliveries_eventvariant_accept")
def _(site: Site) -> Any:
    return site.post("deliveries_eventvariant_accept", site.id("events"), site.id("variant"), confirmed="yes")


@doing("deliveries_eventvariant_body")
def _(site: Site) -> Any:
    Endpoint.objects.update(sensitive=True)
    return site.post("deliveries_eventvariant_body", site.id("events"), site.id("variant"))


@doing("deliveries_rejection_reveal")
def _(site: Site) -> Any:
    Endpoint.objects.update(sensitive=True)
    return site.post("deliveries_rejection_reveal", site.id("rejections"))


@doing("deliveries_rejection_body")
def _(site: Site) -> Any:
    Endpoint.objects.update(sensitive=True)
    return site.post("deliveries_rejection_body", site.id("rejections"))


@doing("deliveries_parkedkey_let_go_on")
def _(site: Site) -> Any:
    route = ordered_route(failure="park")
    first, *_ = line(route, 3, key="a")
    (taken,) = (row for row in claim() if row.pk == first.pk)
    close(taken, "dead")
    return site.post("deliveries_parkedkey_let_go_on", ParkedKey.objects.get().pk, confirmed="yes")


@doing("integrations_route_on")
def _(site: Site) -> Any:
    site.post("integrations_route_off", site.id("routes"))
    return site.post("integrations_route_on", site.id("routes"))


@doing("integrations_route_dry_run", "shadow")
def _(site: Site) -> Any:
    fields = route_fields(make_route(Endpoint.objects.get(slug="orders")), filter="total > `1`")
    return site.post("integrations_route_dry_run", site.id("routes"), shadow="yes", **fields)


# -- orders about many ------------------------------------------------------------------------------------------------
@doing("deliveries_delivery_replay")
def _(site: Site) -> Any:
    return site.post("deliveries_delivery_replay", query="?status=dead", which="dead")


@doing("deliveries_erasure_order")
def _(site: Site) -> Any:
    return site.post("deliveries_erasure_order", value="ada@example.com", path="email")


@doing("deliveries_acceptonly_order", "on")
def _(site: Site) -> Any:
    return site.post("deliveries_acceptonly_order", "on", note="a rush")


@doing("deliveries_acceptonly_order", "off")
def _(site: Site) -> Any:
    AcceptOnly.objects.switch_on(who="grace", note="", now=timezone.now())
    return site.post("deliveries_acceptonly_order", "off")


def _lists(kind: str) -> None:
    @doing(f"deliveries_{kind}_save_view")
    def _(site: Site) -> Any:
        return site.post(f"deliveries_{kind}_save_view", query="?endpoint=1", name="Mine", shared="yes")

    @doing(f"deliveries_{kind}_save_view", "again")
    def _(site: Site) -> Any:
        site.post(f"deliveries_{kind}_save_view", query="?endpoint=1&q=ada@example.com", name="Mine")
        return site.post(f"deliveries_{kind}_save_view", query="?endpoint=2", name="Mine")

    @doing(f"deliveries_{kind}_forget_view")
    def _(site: Site) -> Any:
        view = saved_views.save(
            site.user, kind, name="Mine", query="endpoint=1", is_shared=False, now=timezone.now()
        )  # fmt: skip
        return site.post(f"deliveries_{kind}_forget_view", view.pk)


for _kind in LISTS:
    _lists(_kind)


def _exports(kind: str) -> None:
    @doing(f"deliveries_{kind}_export")
    def _(site: Site) -> Any:
        return site.post(f"deliveries_{kind}_export", format="jsonl")


for _kind in ("auditentry", *LISTS):
    _exports(_kind)

# -- what the hub is set up with --------------------------------------------------------------------------------------
for _name, _kind in (
    ("deliveries_alertrule", "alert-rules"),
    ("deliveries_backfill", "backfills"),
    ("deliveries_schedule", "schedules"),
):
    _confirmed(_name, _kind)


@doing("deliveries_alertrule_add")
def _(site: Site) -> Any:
    return site.fill("deliveries_alertrule_add", name="another", kind="dead_letters")


@doing("deliveries_alertrule_change")
def _(site: Site) -> Any:
    return site.fill("deliveries_alertrule_change", site.id("alert-rules"), name="renamed")


@doing("deliveries_alertrule_channel", "email")
def _(site: Site) -> Any:
    return site.post("deliveries_alertrule_channel", "email", recipients="ada@example.com")


@doing("deliveries_backfill_add")
def _(site: Site) -> Any:
    endpoint = Endpoint.objects.get(slug="code")
    connection = Connection.objects.get(name="github")
    return site.fill("deliveries_backfill_add", endpoint=endpoint.pk, connection=connection.pk)


@doing("deliveries_backfill_change")
def _(site: Site) -> Any:
    return site.fill("deliveries_backfill_change", site.id("backfills"), interval_minutes="45")


@doing("deliveries_schedule_add")
def _(site: Site) -> Any:
    endpoint = Endpoint.objects.get(slug="inside")
    return site.fill("deliveries_schedule_add", name="daily", endpoint=endpoint.pk, cron="0 4 * * *")


@doing("deliveries_schedule_change")
def _(site: Site) -> Any:
    return site.fill("deliveries_schedule_change", site.id("schedules"), cron="0 5 * * *")


@doing("integrations_connection_add")
def _(site: Site) -> Any:
    return site.fill("integrations_connection_add", name="erp", base_url="https://erp.example.com")


def _of_crm(name: str, variant: str = "", **data: Any) -> None:
    @doing(name, variant)
    def _(site: Site) -> Any:
        return site.post(name, Connection.objects.get(name="crm").pk, **data)


_of_crm("integrations_connection_delete", post="yes")
_of_crm("integrations_connection_test")


@doing("integrations_connection_change")
def _(site: Site) -> Any:
    crm = Connection.objects.get(name="crm").pk
    return site.fill("integrations_connection_change", crm, base_url="https://crm2.example.com")


@doing("integrations_endpointgroup_add")
def _(site: Site) -> Any:
    return site.fill("integrations_endpointgroup_add", name="shop")


@doing("integrations_endpointgroup_change")
def _(site: Site) -> Any:
    return site.fill("integrations_endpointgroup_change", group(), description="Another")


@doing("integrations_endpointgroup_delete")
def _(site: Site) -> Any:
    return site.post("integrations_endpointgroup_delete", group(), post="yes")


def group() -> Any:
    from integrations.models import EndpointGroup

    return EndpointGroup.objects.get(name="payments").pk


@doing("integrations_route_add")
def _(site: Site) -> Any:
    endpoint = Endpoint.objects.get(slug="orders").pk
    return site.fill("integrations_route_add", name="another", endpoint=endpoint, handler="log")


@doing("integrations_route_change")
def _(site: Site) -> Any:
    return site.fill("integrations_route_change", site.id("routes"), timeout_seconds="12")


_confirmed("integrations_route", "routes")
_selected("integrations_route", "delete_selected", "routes", post="yes")


# -- endpoints --------------------------------------------------------------------------------------------------------
def orders() -> Endpoint:
    return Endpoint.objects.get(slug="orders")


def _of_orders(name: str, variant: str = "", **data: Any) -> None:
    @doing(name, variant)
    def _(site: Site) -> Any:
        return site.post(name, orders().pk, **data)


_of_orders("integrations_endpoint_delete", post="yes")
_of_orders("integrations_endpoint_pause")
_of_orders("integrations_endpoint_test")
_of_orders("integrations_endpoint_try", payload='{"total": 3}', event_type="order.paid")
_of_orders("integrations_endpoint_legal_hold", reason="a case")
_of_orders("first_steps_connect", value=TYPED, label="first")


@doing("integrations_endpoint_test", "by a key pair")
def _(site: Site) -> Any:
    Endpoint.objects.filter(pk=orders().pk).update(provider="discord", settings={})
    answer = site.post("integrations_endpoint_test", orders().pk)
    said = [(entry.action, entry.object_type) for entry in site.watched.entries]
    assert said == [("made", "secret"), ("ordered", "endpoint")], said
    return answer


@doing("integrations_endpoint_add")
def _(site: Site) -> Any:
    return site.post("integrations_endpoint_add", **fields_of(None, slug="new", **new_secret(TYPED), **new_route()))


@doing("integrations_endpoint_change")
def _(site: Site) -> Any:
    return site.fill("integrations_endpoint_change", orders().pk, name="Orders")


@doing("integrations_endpoint_change", "rows on its page")
def _(site: Site) -> Any:
    row = make_endpoint(slug="shop", provider="generic_hmac", secret="the-first-secret", max_body_bytes=1000)
    make_route(row, name="old name")
    changes = {"routes-0-name": "new name", "routes-0-enabled": "on", "secrets-0-DELETE": "on"}
    fields = {**fields_of(row), **changes, **new_secret(TYPED, number=1)}
    return site.post("integrations_endpoint_change", row.pk, **fields)


@doing("integrations_endpoint_changelist", "delete_selected")
def _(site: Site) -> Any:
    return site.post(
        "integrations_endpoint_changelist", action="delete_selected", _selected_action=[orders().pk], post="yes"
    )


@doing("integrations_endpoint_resume")
def _(site: Site) -> Any:
    return site.post("integrations_endpoint_resume", Endpoint.objects.get(slug="paused").pk)


@doing("integrations_endpoint_legal_hold", "lift")
def _(site: Site) -> Any:
    Endpoint.objects.update(legal_hold="a case")
    return site.post("integrations_endpoint_legal_hold", orders().pk, lift="yes", confirmed="yes")


@doing("integrations_endpoint_end_secret")
def _(site: Site) -> Any:
    now = timezone.now()
    old = orders().secrets.get()
    Secret.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=90))
    Secret.objects.create(endpoint=orders(), value=TYPED, label="next", last_used_at=now)
    return site.post("integrations_endpoint_end_secret", orders().pk, old.pk, confirmed="yes")


for _name in ("await_secret", "confirm_secret", "drop_secret"):

    def _waits(site: Site, name: str = f"integrations_endpoint_{_name}") -> Any:
        return site.post(name, Endpoint.objects.get(slug="asana").pk)

    DOINGS[f"integrations_endpoint_{_name}", ""] = _waits


@doing("first_steps_new")
def _(site: Site) -> Any:
    return site.post("first_steps_new", "generic_hmac", slug="guided", name="Guided")


@doing("first_steps_handler")
def _(site: Site) -> Any:
    return site.post("first_steps_handler", orders().pk, "log", name="Log it")
