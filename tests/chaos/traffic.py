"""What is sent while processes die: events that fail at first, duplicates, and customers whose events have an order."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import httpx

from tests.running_hub import RunningHub

TOKEN = "token-for-the-test-0123456789"
SET_UP = f"""
from integrations.models import Endpoint, Route, Secret
endpoint = Endpoint.objects.create(slug="orders", provider="generic_token", settings={{"event_id": "body:id"}})
Secret.objects.create(endpoint=endpoint, value="{TOKEN}")
retry = {{"max_attempts": 200, "initial_seconds": 0.2, "factor": 1, "max_seconds": 1}}
Route.objects.create(endpoint=endpoint, name="any order", handler="chaos.work", retry=retry)
Route.objects.create(endpoint=endpoint, name="in order", handler="chaos.work", retry=retry, ordering_key="customer")
Endpoint.objects.create(slug="limited", provider="generic_token", source_rate_per_second=0.0002)
"""
ROUTES = 2
#: What one request takes of the limit of that other endpoint.
TOKEN_SECONDS = 5000


class Sender(threading.Thread):
    """One customer: sends one event after the other, each until it is acknowledged, some of them twice."""

    def __init__(self, hub: RunningHub, name: str, *, seed: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.ended = threading.Event()
        self._hub, self._customer = hub, name
        self._rng = random.Random(f"{seed} {name}")

    def run(self) -> None:
        """Send until told to end; the last event is acknowledged or was never counted."""
        number = 0
        with httpx.Client(headers={"X-Webhook-Token": TOKEN}, timeout=15) as client:
            while not self.ended.is_set():
                number += 1
                payload = self._payload(number)
                if self._send(client, payload):
                    self.acknowledged.append(payload["id"])
                if self._rng.random() < 0.3:
                    self._send(client, payload)
                self.ended.wait(self._rng.uniform(0.3, 1.5))

    def _payload(self, number: int) -> dict[str, Any]:
        failures = self._rng.choice([0, 0, 0, 1, 2])
        seconds = self._rng.choice([0.0, 0.05, 0.4])
        name = f"{self._customer}-{number:06}"
        return {"id": name, "customer": self._customer, "failures": failures, "seconds": seconds}

    def _send(self, client: httpx.Client, payload: dict[str, Any]) -> bool:
        while not self.ended.is_set():
            try:
                answer = client.post(f"{self._hub.url}/hooks/orders", json=payload)
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                return True
            if answer.status_code not in {502, 503}:
                self.refused.append(f"{answer.status_code} {answer.text[:200]}")
                return False
            time.sleep(0.1)
        return False


def send_probe(hub: RunningHub, name: str) -> bool:
    """Send one event that succeeds at once; return whether it was acknowledged."""
    payload = {"id": name, "customer": name, "failures": 0, "seconds": 0}
    try:
        answer = httpx.post(f"{hub.url}/hooks/orders", json=payload, headers={"X-Webhook-Token": TOKEN}, timeout=5)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def ask_limited(hub: RunningHub) -> int:
    """Ask the endpoint with a limit, without a token; return the seconds until it takes the next, 0 if it took this."""
    answer = httpx.post(f"{hub.url}/hooks/limited", json={}, timeout=5)
    assert answer.status_code in {401, 429}, answer.text
    return int(answer.headers.get("Retry-After", 0))
