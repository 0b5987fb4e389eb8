"""Web and workers as roles of their own on a real PostgreSQL: what they need works, what they must not do does not."""

from __future__ import annotations

import hashlib
import hmac
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.journeys.test_admin_in_a_browser import MAKE_PEOPLE, PASSWORD
from tests.own_postgres import Rows
from tests.running_hub import ROOT, RunningHub, running_hub, wait_until, web_server

pytestmark = [pytest.mark.journey, pytest.mark.stricter_database]

SET_UP = f"""{MAKE_PEOPLE}
from integrations.models import Endpoint, Route, Secret
endpoint = Endpoint.objects.create(slug="shop", name="Shop", provider="generic_hmac")
Secret.objects.create(endpoint=endpoint, value="the shop's secret")
Route.objects.create(endpoint=endpoint, name="Log", handler="log")
"""
#: What workers do beside deliveries, each with something to do: a flow, a schedule, a rule, retention, an erasure.
CHORES = """
from datetime import timedelta
from django.utils import timezone
from deliveries.models import Alert, AlertRule, Erasure, Schedule
from integrations.models import Endpoint, Route
from tests.factories import make_delivery, make_event
now = timezone.now()
Endpoint.objects.filter(slug="shop").update(keep_events_days=30)
shop = Endpoint.objects.get(slug="shop")
inside = Endpoint.objects.create(slug="inside", name="Inside", provider="internal")
tell = {"event_type": "told", "endpoint": "inside", "payload": "{was: steps.make.payload.n}"}
make = {"event_type": "made", "endpoint": "inside", "payload": "{n: payload.n}"}
steps = [{"name": name, "handler": "hub.emit", "config": config} for name, config in (("make", make), ("tell", tell))]
Route.objects.create(endpoint=inside, name="Flow", handler="hub.flow", events=["tick"], config={"steps": steps})
schedule = Schedule(name="soon", endpoint=inside, interval_seconds=1, payload={"n": 7})
schedule.full_clean()
schedule.save()
Schedule.objects.update(next_at=now)
route = Route.objects.get(name="Log")
dead = make_event(shop, body=b"{}", received_at=now)
make_delivery(route, event=dead, status="dead", finished_at=now, last_error="Broken: no")
AlertRule.objects.all().delete()
AlertRule.objects.create(name="Dead", kind="dead_letters", endpoint=shop, threshold=1, for_seconds=0)
AlertRule.objects.create(name="Disk", kind="disk_forecast")
Alert.objects.create(
    rule_name="Old", kind="silence", key="old", text="t", state="resolved", since=now - timedelta(days=900),
    seen_at=now - timedelta(days=900), resolved_at=now - timedelta(days=900), ended_told=True,
)
old = make_event(shop, body=b"old", received_at=now - timedelta(days=200))
make_delivery(route, event=old, status="discarded", finished_at=now - timedelta(days=200))
Erasure.objects.create(sought="ada@example.com", value_hmac="0" * 64, state="counting", created_at=now)
"""
DONE = {
    "a flow's steps": "SELECT count(*) >= 2 FROM deliveries_flowstep WHERE state = 'succeeded'",
    "what the flow has told": "SELECT count(*) >= 1 FROM deliveries_event WHERE event_type = 'told'",
    "an alert": "SELECT count(*) = 1 FROM deliveries_alert WHERE rule_name = 'Dead' AND state = 'firing'",
    "the end of an old alert": "SELECT count(*) = 0 FROM deliveries_alert WHERE rule_name = 'Old'",
    "notice of keys that outlive their events": "SELECT count(*) = 1 FROM integrations_endpoint WHERE slug = 'shop'"
    " AND keys_kept_since IS NOT NULL",
    "retention": "SELECT count(*) = 0 FROM deliveries_event WHERE raw_body = 'old'",
    "the self-check": "SELECT count(*) >= 1 FROM deliveries_delivery AS d JOIN deliveries_event AS e"
    " ON e.id = d.event_id WHERE e.event_type = 'self_check' AND d.status = 'succeeded'",
    "an erasure's count": "SELECT count(*) = 1 FROM deliveries_erasure WHERE state = 'counted'",
}
PAGES = (
    "/admin/",
    "/admin/deliveries/event/",
    "/admin/deliveries/auditentry/",
    "/admin/integrations/endpoint/",
    "/admin/deliveries/alert/",
    "/admin/deliveries/schedule/",
    "/admin/deliveries/erasure/",
)
REFUSED = {
    "web": (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE deliveries_event ADD COLUMN mine int",
        "DROP TABLE django_session",
        "TRUNCATE deliveries_auditentry",
        "UPDATE deliveries_auditentry SET who = ''",
        "DELETE FROM deliveries_auditentry",
        "DELETE FROM deliveries_event",
        "DELETE FROM deliveries_attempt",
        "INSERT INTO django_q_ormq (key, payload) VALUES ('hub', '')",
        "CREATE TEMP TABLE mine (id int)",
    ),
    "worker": (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE deliveries_delivery ADD COLUMN mine int",
        "UPDATE deliveries_auditentry SET who = ''",
        "SELECT * FROM django_session",
        "SELECT * FROM mfa_authenticator",
        "SELECT * FROM knox_authtoken",
        "UPDATE auth_user SET is_superuser = true",
        "UPDATE integrations_endpoint SET state = 'active'",
        "UPDATE integrations_secret SET value = ''",
        "CREATE TEMP TABLE mine (id int)",
    ),
}


class TestTheRoles:
    def test_suffice_for_web_and_workers_and_for_nothing_more(self, tmp_path: Path) -> None:
        with running_hub(tmp_path, HUB_WORKERS="1", HUB_SELF_CHECK_SECONDS="60") as owner, roles(owner) as urls:
            owner.python(SET_UP)
            owner.python(CHORES)
            web, worker = (as_role(owner, urls[name], tmp_path) for name in ("web", "worker"))
            with (
                web_server(web, answers=lambda: is_alive(web)),
                running_worker(worker),
                httpx.Client(base_url=web.url, timeout=30) as client,
            ):
                assert send(client).json()["status"] == "accepted"
                rows = Rows(str(owner.environment["DATABASE_URL"]))
                done = "SELECT count(*) FROM deliveries_delivery WHERE status = 'succeeded' AND route_id = "
                done += "(SELECT id FROM integrations_route WHERE name = 'Log')"
                wait_until(lambda: rows(done) == [(1,)], what="the delivery")
                look_around(client)
                for what, query in DONE.items():
                    wait_until(lambda query=query: rows(query) == [(True,)], what=what)  # type: ignore[misc]
            for name, statements in REFUSED.items():
                for statement in statements:
                    with psycopg.connect(urls[name]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(statement)
            assert "unapplied" not in web.output.read_text()


def is_alive(hub: RunningHub) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{hub.url}/health/live").status_code == 200
    return False


def send(client: httpx.Client) -> httpx.Response:
    body = b'{"type": "order.paid"}'
    signature = hmac.new(b"the shop's secret", body, hashlib.sha256).hexdigest()
    return client.post("/hooks/shop", content=body, headers={"X-Signature": signature})


def look_around(client: httpx.Client) -> None:
    """Log in and see pages, and give one order."""
    login = {"username": "anna", "password": PASSWORD, "csrfmiddlewaretoken": token(client, "/admin/login/")}
    assert client.post("/admin/login/", data=login).status_code == 302
    for page in PAGES:
        assert (page, client.get(page).status_code) == (page, 200)
    export = {"format": "csv", "csrfmiddlewaretoken": token(client, "/admin/deliveries/event/")}
    assert client.post("/admin/deliveries/event/export/", data=export).status_code == 200
    assert client.get("/health/ready").status_code == 200


def token(client: httpx.Client, page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(page).text)
    assert found
    return found[1]


def as_role(owner: RunningHub, url: str, folder: Path) -> RunningHub:
    """Return the same hub with another user of the database."""
    names = ("SECRET_KEY", "HUB_ENCRYPTION_KEYS", "HUB_WORKERS", "HUB_SELF_CHECK_SECONDS")
    same = {name: owner.environment[name] for name in names}
    return RunningHub(url, folder, HUB_WEB_WORKERS="1", **same)


@contextmanager
def roles(owner: RunningHub) -> Iterator[dict[str, str]]:
    """Make the two roles as the commands say it; yield their addresses of the database."""
    url = str(owner.environment["DATABASE_URL"])
    names = {name: f"test_{name}_{uuid.uuid4().hex[:12]}" for name in ("web", "worker")}
    chosen = [part for name, role in names.items() for part in (f"--{name}", role)]
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in owner.manage("database_roles", "--create", *chosen).stdout.splitlines():
            connection.execute(statement)  # type: ignore[call-overload]
        assert owner.manage("database_roles", "--apply", *chosen).stdout.startswith("gave ")
        assert owner.manage("database_roles", "--apply", *chosen).stdout.startswith("gave ")
        try:
            yield {name: url.replace("postgres@", f"{role}@", 1) for name, role in names.items()}
        finally:
            for role in names.values():
                connection.execute(f'DROP OWNED BY "{role}"')  # type: ignore[call-overload]
                connection.execute(f'DROP ROLE "{role}"')  # type: ignore[call-overload]


@contextmanager
def running_worker(hub: RunningHub) -> Iterator[None]:
    with hub.output.with_name("worker.log").open("wb") as output:
        command = [sys.executable, "manage.py", "worker"]
        process = subprocess.Popen(command, cwd=ROOT, env=hub.environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
    said = hub.output.with_name("worker.log").read_text()
    assert "permission denied" not in said, said[-3000:]
    assert "worker.database_unavailable" not in said, said[-3000:]
