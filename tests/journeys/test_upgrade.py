"""An upgrade without a gap: the release before is at work while today's migrations run, and beside today's code."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.databases import empty_database
from tests.release_before import ASKED, HubOfBefore, Unknown, newest_migrations, unpack
from tests.running_hub import ROOT, RunningHub, wait_until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not ASKED, reason="takes minutes; `make upgrade-check` runs it"),
]

TOKEN = "token-for-the-test-0123456789"
SET_UP = f"""
from django.contrib.auth import get_user_model
from integrations.models import Endpoint, Route, Secret
endpoint = Endpoint.objects.create(slug="orders", provider="generic_token", settings={{"event_id": "body:id"}})
Secret.objects.create(endpoint=endpoint, value="{TOKEN}")
Route.objects.create(endpoint=endpoint, name="every order", handler="log")
get_user_model().objects.create_superuser("ada", "ada@example.com", "correct horse battery staple")
"""
STATES = """
import json
from deliveries.models import Delivery
print(json.dumps(dict(Delivery.objects.values_list("event__event_id", "status"))))
"""
#: Every list of the admin, and the newest row of each, as an operator of the release before sees them.
PAGES = """
import json
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import NoReverseMatch, reverse
client = Client(headers={"host": "127.0.0.1"}, raise_request_exception=True)
client.force_login(get_user_model().objects.get(username="ada"))
pages = {"/admin/"}
for model in admin.site._registry:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    try:
        pages.add(reverse(f"{name}_changelist"))
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            pages.add(reverse(f"{name}_change", args=[row.pk]))
    except NoReverseMatch:
        pass
print(json.dumps({page: client.get(page).status_code for page in sorted(pages)}))
"""


class Sender(threading.Thread):
    """Sends an order every 50 ms to whichever hub it is told, and keeps what was answered."""

    def __init__(self, hub: RunningHub) -> None:
        super().__init__(daemon=True)
        self.hub = hub
        self.answers: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self.slowest = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        """Send until told to end."""
        with httpx.Client(headers={"X-Webhook-Token": TOKEN}, timeout=30) as client:
            for number in range(100_000):
                if self._ended.wait(0.05):
                    return
                began = time.monotonic()
                answer = client.post(f"{self.hub.url}/hooks/orders", json={"id": f"order-{number}"})
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.answers[answer.status_code] += 1
                if answer.status_code == 200:
                    self.acknowledged.append(f"order-{number}")

    def more(self, count: int = 20) -> None:
        """Wait until so many more have been acknowledged."""
        had = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) >= had + count or not self.is_alive(), what="more orders")
        assert self.is_alive(), "the sender has broken off"

    def end(self) -> None:
        """Stop sending, once the last one is answered."""
        self._ended.set()
        self.join(30)


@contextmanager
def release_before(tmp_path: Path, url: str) -> Iterator[HubOfBefore]:
    code, data = tmp_path / "code", tmp_path / "before"
    code.mkdir()
    data.mkdir()
    try:
        unpack(code)
    except Unknown as exc:
        pytest.skip(f"the release before cannot be had: {exc}")
    hub = HubOfBefore(code, url, data)
    try:
        yield hub
    finally:
        hub.kill_everything()


def test_the_release_before_works_on_while_the_schema_changes_and_beside_the_new_code(tmp_path: Path) -> None:
    with empty_database(tmp_path) as url, release_before(tmp_path, url) as before:
        keys = {name: before.environment[name] for name in ("SECRET_KEY", "HUB_ENCRYPTION_KEYS")}
        after = RunningHub(url, tmp_path, **keys)
        try:
            upgrade(before, after)
        finally:
            after.kill_everything()


def upgrade(before: HubOfBefore, after: RunningHub) -> None:
    code = Path(before.python("import deliveries; print(deliveries.__file__)"))
    assert code.is_relative_to(before.root), "the code that runs is not the release before's"
    assert newest_migrations(before.root) != newest_migrations(ROOT), "no migration lies between the two"
    before.manage("migrate", "--verbosity", "0")
    before.python(SET_UP)
    before.start()
    sender = Sender(before)
    sender.start()
    sender.more()

    assert after.manage("migrate", "--check", check=False).returncode == 1
    after.manage("migrate", "--verbosity", "0")
    assert before.manage("migrate", "--check", check=False).returncode == 0, (
        "pods of the release before would not start"
    )
    sender.more()
    assert_handled(before, sender)
    pages = json.loads(before.python(PAGES))
    assert {page: status for page, status in pages.items() if status != 200} == {}
    assert len(pages) > 20

    after.start()
    sender.hub = after
    sender.more()
    assert before.stop() == 0
    sender.more()
    assert_handled(after, sender)
    assert set(json.loads(after.python(PAGES)).values()) == {200}

    before.start()  # and back again, on the schema and beside the rows of today's code
    sender.hub = before
    sender.more()
    assert after.stop() == 0
    sender.more()
    sender.end()

    assert set(sender.answers) == {200}, sender.answers
    assert sender.slowest < 20
    assert_handled(before, sender)
    assert set(json.loads(before.python(PAGES)).values()) == {200}


def assert_handled(hub: RunningHub, sender: Sender) -> None:
    """Wait until every order acknowledged so far has been handled."""
    wanted = set(sender.acknowledged)

    def handled() -> bool:
        states = json.loads(hub.python(STATES))
        return wanted <= {order for order, status in states.items() if status == "succeeded"}

    wait_until(handled, what="the handling of all that was acknowledged")
