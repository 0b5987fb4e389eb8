"""The client that is generated from the schema, against a running hub."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.running_hub import ROOT, RunningHub, running_hub, wait_until
from tests.test_docs import DOCS, PYTHON

pytestmark = [pytest.mark.journey, pytest.mark.any_database]

PACKAGE = "automation_hub_client"
SECRET = "the shop and the hub know this"
MAKE_USER = """
from django.contrib.auth.models import Group, User
User.objects.create_user("ada").groups.add(Group.objects.get(name="administrator"))
"""
MAKE_DEAD = """
from uuid import uuid4
from django.utils import timezone
from tests.factories import make_delivery, make_endpoint, make_event, make_route
event = make_event(endpoint := make_endpoint(slug=f"closed-{uuid4()}"), event_type="order.paid")
dead = {"status": "dead", "finished_at": timezone.now(), "attempt_count": 1, "last_error": "the shop was closed"}
print(make_delivery(make_route(endpoint), event=event, **dead).pk)
"""
SHOW_STATUS = "from deliveries.models import Delivery; print(Delivery.objects.get(pk={!r}).status)"
EXAMPLES = PYTHON.findall((DOCS / "how-to" / "use-the-api.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """The folder in which the package is, as `make client` writes it."""
    folder = tmp_path_factory.mktemp("client")
    reference = DOCS / "reference"
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
        *("--path", str(reference / "openapi.yaml"), "--config", str(reference / "openapi-client.yaml")),
        *("--output-path", str(folder / PACKAGE)),
    ]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it has ruff put its code into form
    done = subprocess.run(
        command, env={**os.environ, "PATH": tools}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        hub.python(MAKE_USER)
        hub.start()
        yield hub


@pytest.fixture(scope="module")
def token(hub) -> str:
    return hub.manage("create_token", "ada").stdout.split()[-1]


class Client:
    """The generated package, with a client of the hub at hand."""

    def __init__(self, hub: RunningHub, token: str) -> None:
        self.package = importlib.import_module(PACKAGE)
        self.models = importlib.import_module(f"{PACKAGE}.models")
        self.hub = self.package.AuthenticatedClient(base_url=hub.url, token=token, prefix="Token")

    def operation(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.api.{name}")

    def call(self, name: str, *arguments: Any, **values: Any) -> Any:
        return self.operation(name).sync(*arguments, client=self.hub, **values)

    def finished(self, delivery: Any) -> Any:
        shown = self.call("deliveries.get_delivery", delivery.id)
        return shown if shown.finished_at else None


@pytest.fixture
def client(hub, token, generated, monkeypatch) -> Iterator[Client]:
    monkeypatch.syspath_prepend(str(generated))
    client = Client(hub, token)
    with client.hub:
        yield client


class TestTheGeneratedClient:
    def test_sets_up_an_endpoint_and_sees_its_event_through_to_a_replay(self, client) -> None:
        models = client.models
        new = models.EndpointRequest(
            slug="shop", provider="generic_hmac", secrets=[models.SecretRequest(value=SECRET, label="2026-12")]
        )

        endpoint = client.call("endpoints.create_endpoint", body=new)
        route = models.RouteRequest(endpoint="shop", name="Note it", handler="log")
        client.call("routes.create_route", body=route)
        payload = {"total": 250}
        sample = client.call("endpoints.send_test_event", "shop", body=models.SampleOrderRequest(payload=payload))

        assert isinstance(endpoint, models.Endpoint)
        assert (endpoint.state, endpoint.secrets[0].label) == ("active", "2026-12")
        assert (sample.status, sample.deliveries) == ("accepted", 1)
        (event,) = client.call("events.list_events", endpoint="shop", verdict=["verified"]).results
        assert (event.id, event.payload) == (sample.event, payload)
        assert client.operation("events.get_event_body").sync_detailed(event.id, client=client.hub).content == (
            b'{"total": 250}'
        )
        (delivery,) = client.call("deliveries.list_deliveries", event=event.id).results
        first = wait_until(lambda: client.finished(delivery), what="the first attempt")
        assert (first.status, [attempt.outcome for attempt in first.attempts]) == ("succeeded", ["succeeded"])

        replayed = client.call("deliveries.replay_delivery", delivery.id)

        assert isinstance(replayed, models.Delivery)
        again = wait_until(lambda: client.finished(delivery), what="the replay")
        assert (again.status, again.attempt_count) == ("succeeded", 2)
        assert [attempt.trigger for attempt in again.attempts] == ["first", "replay"]
        assert again.attempts[1].requested_by == "ada"

    def test_gives_errors_as_what_they_are(self, client, hub) -> None:
        models = client.models
        wrong = models.EndpointRequest(slug="other", provider="nobody")

        refused = client.call("endpoints.create_endpoint", body=wrong)
        with client.package.AuthenticatedClient(hub.url, token="x" * 64, prefix="Token") as stranger:
            unknown = client.operation("events.list_events").sync_detailed(client=stranger)

        assert isinstance(refused, models.Error)
        assert (refused.error, list(refused.fields.additional_properties)) == ("validation_error", ["provider"])
        assert (unknown.status_code, unknown.parsed.error) == (401, "invalid_token")


class TestTheExamplesOfTheDocumentation:
    @pytest.mark.parametrize("source", EXAMPLES, ids=["httpx", "client"])
    def test_replay_what_is_dead(self, hub, token, generated, source) -> None:
        dead = hub.python(MAKE_DEAD)
        environment = {
            **os.environ,
            "AUTOMATION_HUB_URL": hub.url,
            "AUTOMATION_HUB_TOKEN": token,
            "PYTHONPATH": str(generated),
        }

        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            env=environment,
            cwd=ROOT.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 0, done.stderr
        *made, printed = done.stdout.splitlines()
        assert made == ([f"the shop sends to {hub.url}/hooks/shop-orders"] if "create_endpoint" in source else [])
        assert printed == "order.paid Gave up after attempt 1 of 6: the shop was closed"
        wait_until(lambda: hub.python(SHOW_STATUS.format(dead)) == "succeeded", what="the replay")
