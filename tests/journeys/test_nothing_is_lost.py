"""Processes are killed in mid-flight; afterwards every acknowledged event is accounted for."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.running_hub import RunningHub, running_hub, wait_until

pytestmark = pytest.mark.journey

SET_UP = """
from integrations.models import Endpoint, Route, Secret
endpoint = Endpoint.objects.create(slug="orders", provider="generic_token", settings={{"event_id": "body:id"}})
Secret.objects.create(endpoint=endpoint, value="token-for-the-test-0123456789")
Route.objects.create(endpoint=endpoint, name="book", handler="http.forward", config={{"url": "{url}"}},
                     retry={{"max_attempts": 50, "initial_seconds": 0.1, "factor": 1}})
from django.utils import timezone
from deliveries.models import Schedule
clock = Endpoint.objects.create(slug="clock", provider="internal")
Route.objects.create(endpoint=clock, name="note", handler="log")
tick = Schedule(name="every-second", endpoint=clock, event_type="tick", interval_seconds=1, missed="all")
tick.plan(now=timezone.now())
tick.save()
"""
STOP_THE_CLOCK = """
from deliveries.models import Schedule
Schedule.objects.update(enabled=False)
"""
ACCOUNTS = """
import json
from collections import Counter
from deliveries.models import Attempt, Delivery, Event
print(json.dumps({
    "events": list(Event.objects.filter(endpoint__slug="orders").values_list("event_id", flat=True)),
    "ticks": [headers["X-Hub-Tick"] for headers in Event.objects.filter(endpoint__slug="clock")
              .order_by("headers__X-Hub-Tick").values_list("headers", flat=True)],
    "statuses": Counter(Delivery.objects.values_list("status", flat=True)),
    "deliveries": list(Delivery.objects.filter(endpoint__slug="orders").values_list("event__event_id", flat=True)),
    "all_deliveries": Delivery.objects.count(),
    "open_attempts": Attempt.objects.filter(outcome="running").count(),
    "succeeded_attempts": Attempt.objects.filter(outcome="succeeded").count(),
}))
"""


class Bookkeeper:
    """A slow outside system that notes the id of each event it is sent."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        noted = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(0.3)
                noted[json.loads(body)["id"]] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/book"


class Sender(threading.Thread):
    """Posts events one after the other, as providers do again after an error, and keeps what was acknowledged."""

    def __init__(self, hub: RunningHub, name: str) -> None:
        super().__init__(daemon=True)
        self.hub, self.prefix = hub, name
        self.acknowledged: set[str] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            number += 1
            event = f"{self.prefix}-{number}"
            while not self.ended.is_set() and event not in self.acknowledged:
                try:
                    answer = httpx.post(
                        f"{self.hub.url}/hooks/orders",
                        json={"id": event},
                        headers={"X-Webhook-Token": "token-for-the-test-0123456789"},
                        timeout=10,
                    )
                except httpx.HTTPError:
                    time.sleep(0.1)
                    continue
                assert answer.status_code in {200, 503}, answer.text
                if answer.status_code == 200:
                    self.acknowledged.add(event)
            time.sleep(0.05)


@pytest.fixture
def bookkeeper() -> Iterator[Bookkeeper]:
    bookkeeper = Bookkeeper()
    yield bookkeeper
    bookkeeper.server.shutdown()
    bookkeeper.server.server_close()


def children(hub: RunningHub, word: str) -> list[psutil.Process]:
    return [p for p in hub.processes()[1:] if word in " ".join(p.cmdline())]


class TestAnAcknowledgedEvent:
    def test_is_handled_whichever_process_is_killed_in_mid_flight(self, tmp_path: Path, bookkeeper: Bookkeeper) -> None:
        with running_hub(tmp_path, HUB_LEASE_SECONDS="3", HUB_FROZEN_SECONDS="8") as hub:
            hub.python(SET_UP.format(url=bookkeeper.url))
            hub.start()
            senders = [Sender(hub, f"sender{number}") for number in range(3)]
            for sender in senders:
                sender.start()

            time.sleep(1.5)
            for word in ("gunicorn", "worker", "gunicorn", "worker"):
                # The last born first: a web worker, a handler's process; then their parents as well.
                children(hub, word)[-1].kill()
                time.sleep(2)
            children(hub, "worker")[0].kill()
            time.sleep(2)
            assert hub.process is not None
            hub.process.kill()
            hub.process.wait()
            hub.start()
            time.sleep(1.5)
            for sender in senders:
                sender.ended.set()
            for sender in senders:
                sender.join()

            hub.python(STOP_THE_CLOCK)
            acknowledged = set().union(*(sender.acknowledged for sender in senders))
            assert len(acknowledged) > 30
            accounts = wait_until(lambda: self.settled(hub), seconds=60, what="the end of all deliveries")

        events = Counter(accounts["events"])
        assert acknowledged <= set(events)
        assert max(events.values()) == 1
        assert Counter(accounts["deliveries"]) == events
        assert accounts["all_deliveries"] == len(events) + len(accounts["ticks"])
        assert accounts["statuses"] == {"succeeded": accounts["all_deliveries"]}
        assert accounts["open_attempts"] == 0
        assert accounts["succeeded_attempts"] == accounts["all_deliveries"]
        assert set(bookkeeper.seen) == set(events)
        # A tick a second, also of the time in which nobody was there; none of them twice.
        ticks = [datetime.fromisoformat(tick) for tick in accounts["ticks"]]
        assert len(ticks) > 8
        assert {later - earlier for earlier, later in pairwise(ticks)} == {timedelta(seconds=1)}

    def settled(self, hub: RunningHub) -> dict[str, Any] | None:
        accounts: dict[str, Any] = json.loads(hub.python(ACCOUNTS))
        return accounts if set(accounts["statuses"]) <= {"succeeded", "dead"} else None
