"""Every operation of the API that can change something is carried out, and the audit log says what was done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver
from django.utils import timezone
from rest_framework.test import APIClient

from deliveries.models import AcceptOnly, Event
from deliveries.receiving import endpoints
from integrations.api.schema import openapi
from integrations.models import Connection, Endpoint
from tests.deliveries.api.cases import API, client_of, make_user
from tests.deliveries.api.some_rows import make_rows, of_nobody
from tests.deliveries.audited.watching import ADDRESS, Watched, watching

CHANGING = ("post", "put", "patch", "delete")
SCHEMA = openapi()
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
    if method in CHANGING
}
#: What may be written in a transaction before the one of the entry: how somebody's call went, or an event, which goes
#: the way that all take and is a record of itself.
EVENT = {"deliveries_delivery", "deliveries_event", "integrations_secret"}
BEFORE = {
    "send_test_event": EVENT,
    "test_alert_rule": EVENT,
    "reverify_rejection": {"integrations_secret"},  # when it was used last
    "test_connection": {"integrations_connectionhealth"},
}
every_operation = pytest.mark.parametrize("name", sorted(OPERATIONS))


@pytest.mark.any_database
class TestAnOperation:
    @every_operation
    def test_is_in_the_audit_log_once_it_has_changed_something(self, db: None, name: str, monkeypatch: Any) -> None:
        method, path, operation = OPERATIONS[name]
        known = make_rows()
        prepare(name, monkeypatch)
        user = make_user("ada", role="administrator")
        client = client_of(user)
        has_changed = False

        for address, body in product(addresses(path, known), bodies(operation)):
            watched, answer = call(client, method, address, body)
            if answer.status_code // 100 == 2 and (watched.tables or watched.entries):
                problems = watched.problems(user, via="api", request_id=answer["X-Request-ID"])
                assert problems == [], (address, body, watched.tables)
                assert watched.apart <= BEFORE.get(name, set()), address
                has_changed = True
        assert has_changed, "no call of it has done anything: give some_rows.py a row for it"

    def test_changes_nothing_where_it_reads(self, db: None) -> None:
        known = make_rows()
        client = client_of(make_user("ada", role="administrator"))
        reading = [path for path, methods in SCHEMA["paths"].items() if "get" in methods]
        assert len(reading) > 40

        for path in reading:
            for address in addresses(path, known):
                watched, answer = call(client, "get", address, None)
                assert answer.status_code < 500, address
                assert watched.tables == set(), address

    def test_is_each_address_that_takes_another_method_than_get(self) -> None:
        described = {(method, shape(path)) for method, path, _ in OPERATIONS.values()}

        assert set(taken()) == described


def prepare(name: str, monkeypatch: Any) -> None:
    """Let what the operation's own example names be free, or be there."""
    if name == "create_endpoint":
        of_nobody("orders")
    if name == "create_connection":
        Connection.objects.filter(name="crm").delete()
        monkeypatch.setenv("HUB_SECRET_CRM", "swordfish")
    if name == "switch_accept_only_off":
        AcceptOnly.objects.switch_on(who="grace", note="", now=timezone.now())
    if name in {"end_hold_of_endpoint", "end_hold_of_event"}:
        Endpoint.objects.update(legal_hold="a case")
        Event.objects.update(legal_hold="a case")
    endpoints.forget()


def call(client: APIClient, method: str, address: str, body: Any) -> tuple[Watched, Any]:
    with watching() as watched:
        answer = client.generic(
            method.upper(), address, json.dumps(body) if body is not None else "", "application/json",
            REMOTE_ADDR=ADDRESS,
        )  # fmt: skip
    return watched, answer


def addresses(path: str, known: dict[str, list[Any]]) -> Iterator[str]:
    """Yield the address of ``path`` for each row that its parameters can name."""
    resource = path.removeprefix(f"{API}/").partition("/")[0]
    names = re.findall(r"{(\w+)}", path)
    for values in product(*(known[resource if name in {"id", "slug", "name"} else name] for name in names)):
        yield path.format(**dict(zip(names, values, strict=True)))


def bodies(operation: dict[str, Any]) -> list[Any]:
    """Return the operation's own examples; one of nothing where it takes nothing."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return [example["value"] for example in content.get("examples", {}).values()] or [None]


def shape(path: str) -> str:
    """Return a path, or the pattern of one, with its parameters left open."""
    return re.sub(r"{\w+}", "{}", path)


def taken() -> Iterator[tuple[str, str]]:
    """Yield each method and path that the resolver knows below the API and that is not for reading."""
    for route, callback in below(get_resolver().url_patterns, ""):
        if not route.startswith(API.lstrip("/") + "/^"):
            continue
        view = getattr(callback, "cls", None) or callback.view_class
        found = getattr(callback, "actions", None) or [name for name in CHANGING if hasattr(view, name)]
        methods = set(found) & set(view.http_method_names)
        path = re.sub(r"\(\?P<\w+>(?:[^()]|\([^()]*\))*\)", "{}", route).replace("^", "").removesuffix("?$")
        yield from ((method, f"/{path}") for method in methods if method in CHANGING)


def below(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from below(pattern.url_patterns, f"{prefix}{pattern.pattern}")
        elif isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.pattern}", pattern.callback
