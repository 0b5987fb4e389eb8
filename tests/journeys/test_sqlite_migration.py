"""A long migration under a hub on SQLite, with its one lock for all: who sends meanwhile waits, and is to try again."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.running_hub import ROOT, RunningHub, running_hub, wait_until

# Only SQLite has this lock: the mark leaves the run on PostgreSQL out.
pytestmark = [pytest.mark.journey, pytest.mark.any_database]

SET_UP = """
from integrations.models import Endpoint, Route, Secret
endpoint = Endpoint.objects.create(slug="shop", name="Shop", provider="generic_hmac")
Secret.objects.create(endpoint=endpoint, value="the shop's secret")
Route.objects.create(endpoint=endpoint, name="Log", handler="log")
"""
#: A change of the schema that takes 24 seconds, as `migrate` applies it.
MIGRATE = """
import time
from django.db import connection, migrations
from django.db.migrations.executor import MigrationExecutor
class Slow(migrations.Migration):
    operations = [
        migrations.RunSQL("ALTER TABLE deliveries_event ADD COLUMN colour integer NULL"),
        migrations.RunPython(lambda apps, editor: (print("locked", flush=True), time.sleep(24))),
    ]
state = MigrationExecutor(connection).loader.project_state()
with connection.schema_editor(atomic=True) as editor:
    Slow("slow", "deliveries").apply(state, editor)
"""
COUNT = """
from deliveries.models import Delivery, Event
print(Event.objects.count(), Delivery.objects.filter(status="succeeded").count())
"""


def test_who_sends_meanwhile_waits_for_twenty_seconds_and_is_told_to_try_again(tmp_path: Path) -> None:
    with running_hub(tmp_path, HUB_WEB_WORKERS="1", HUB_WORKERS="1") as hub, ThreadPoolExecutor(2) as pool:
        hub.python(SET_UP)
        hub.start()
        assert send(hub, 1)[0].status_code == 200
        command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", MIGRATE]
        migration = subprocess.Popen(command, cwd=ROOT, env=hub.environment, stdout=subprocess.PIPE, text=True)
        assert migration.stdout is not None
        assert migration.stdout.readline() == "locked\n"
        first = pool.submit(send, hub, 2)
        time.sleep(10)
        second = pool.submit(send, hub, 3)
        assert httpx.get(f"{hub.url}/health/live", timeout=5).status_code == 200

        refused, seconds = first.result()
        assert (refused.status_code, refused.json()) == (503, {"error": "unavailable"})
        assert int(refused.headers["Retry-After"]) > 0
        assert seconds > 19
        assert second.result()[0].status_code == 200  # had waited for less when the migration ended
        migration.communicate()
        assert migration.returncode == 0
        assert send(hub, 2)[0].json()["status"] == "accepted"  # nothing of the refused one was stored
        wait_until(lambda: hub.python(COUNT).split() == ["3", "3"], seconds=30, what="all that was accepted")


def send(hub: RunningHub, number: int) -> tuple[httpx.Response, float]:
    """Send an event; return the answer and after how many seconds it came."""
    body = b'{"n": %d}' % number
    signature = hmac.new(b"the shop's secret", body, hashlib.sha256).hexdigest()
    began = time.monotonic()
    answer = httpx.post(f"{hub.url}/hooks/shop", content=body, headers={"X-Signature": signature}, timeout=60)
    return answer, time.monotonic() - began
