"""Make the pictures of the documentation: ``python -m tests.journeys.screenshots``.

A real hub is started on a database of its own, receives real signed events, fails at some and refuses others; nothing
on the pictures is drawn by hand.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.journeys.browser import open_browser
from tests.running_hub import ROOT, RunningHub, running_hub, wait_until

SECRET = "the shop's signing secret"
PASSWORD = "only for the pictures"
SET_UP = f"""
from django.contrib.auth.models import User
from integrations.models import Endpoint, Route, Secret
User.objects.create_superuser("admin", "admin@example.com", {PASSWORD!r})
places = {{"event_id": "header:X-Event-Id", "event_type": "body:type"}}
shop = Endpoint.objects.create(slug="shop-orders", name="Shop orders", provider="generic_hmac", settings=places)
Secret.objects.create(endpoint=shop, label="2026-11", value={SECRET!r})
Route.objects.create(endpoint=shop, name="Log every event", handler="log")
Route.objects.create(
    endpoint=shop, name="Book in the ERP", handler="http.forward", events=["order.*"],
    config={{"url": "ERP"}}, retry={{"max_attempts": 2, "initial_seconds": 0.2, "jitter": False}},
)
for slug, name, provider in (("github", "GitHub", "github"), ("payments", "Payments", "stripe")):
    row = Endpoint.objects.create(slug=slug, name=name, provider=provider)
    Secret.objects.create(endpoint=row, label="2026-11", value={SECRET!r})
    Route.objects.create(endpoint=row, name="Log every event", handler="log")
Endpoint.objects.create(slug="new-partner", name="New partner", provider="generic_hmac")
"""
ALL_ARE_FINISHED = """
from deliveries.models import Delivery
print(not Delivery.objects.filter(finished_at=None).exists())
"""
REPLAY_THE_LAST = """
from django.contrib.auth.models import User
from deliveries.models import Delivery, Rejection
from deliveries.replay import replay
from integrations.models import Endpoint
last = Delivery.objects.filter(status="dead").order_by("created_at").last()
replay(Delivery.objects.filter(pk=last.pk), by=User.objects.get())
refused = Rejection.objects.latest("received_at")
print(last.pk, last.event_id, Endpoint.objects.get(slug="shop-orders").pk, refused.pk)
"""


class Erp(BaseHTTPRequestHandler):
    """A booking system that refuses an order without a customer, until it is mended."""

    mended = False

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        accepted = self.mended or order["data"]["customer"] is not None
        answer = {"booked": True} if accepted else {"error": "customer_missing", "order": order["data"]["number"]}
        self.send_response(200 if accepted else 422)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        """Keep the test run's output clean."""


def order(number: int, *, kind: str, with_customer: bool) -> dict[str, Any]:
    customer = {"name": "Zoë Winter", "country": "CH"} if with_customer else None
    items = [{"sku": "A-17", "quantity": 2, "price": 24.5}, {"sku": "B-03", "quantity": 1, "price": 112.0}]
    return {"type": kind, "data": {"number": 1000 + number, "customer": customer, "items": items, "total": 161.0}}


def send(hub: RunningHub, number: int, payload: Mapping[str, Any], *, secret: str = SECRET) -> None:
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Shop/2.1",
        "X-Event-Id": f"evt_{number:04}",
        "X-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    httpx.post(f"{hub.url}/hooks/shop-orders", content=body, headers=headers)


def make_traffic(hub: RunningHub) -> None:
    """Send events until the hub has something of everything to show."""
    rng = random.Random(4)
    for number in range(30):
        complete = number % 7 != 3
        kind = rng.choice(("order.created", "order.paid", "customer.updated", "refund.created"))
        send(hub, number, order(number, kind=kind if complete else "order.created", with_customer=complete))
    for number in range(4):
        send(hub, 900 + number, order(number, kind="order.paid", with_customer=True), secret="an old secret")
    send(hub, 904, order(4, kind="order.paid", with_customer=True), secret=SECRET + "\n")
    send(hub, 999, order(31, kind="order.paid", with_customer=False))
    wait_until_finished(hub)


def wait_until_finished(hub: RunningHub) -> None:
    wait_until(lambda: hub.python(ALL_ARE_FINISHED) == "True", seconds=30, what="the end of all deliveries")


def shoot(browser: Chrome, url: str, path: Path) -> None:
    """Save a picture of the whole page at ``url``, up to a bounded height."""
    browser.get(url)
    time.sleep(0.8)  # the theme and the fonts are applied by scripts
    size = browser.execute_script("return [window.innerWidth, document.documentElement.scrollHeight]")
    metrics = {"width": size[0], "height": min(max(size[1], 700), 1400), "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    time.sleep(0.3)
    browser.save_screenshot(str(path))
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "height": 700})


def log_in(browser: Chrome, hub: RunningHub) -> None:
    browser.get(f"{hub.url}/admin/")
    browser.find_element(By.NAME, "username").send_keys("admin")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "form [type=submit]").click()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as work,
        ThreadingHTTPServer(("127.0.0.1", 0), Erp) as erp,
        running_hub(Path(work)) as hub,
    ):
        threading.Thread(target=erp.serve_forever, daemon=True).start()
        hub.python(SET_UP.replace('"ERP"', f'"http://127.0.0.1:{erp.server_address[1]}/orders"'))
        hub.start()
        make_traffic(hub)
        Erp.mended = True
        delivery, event, endpoint, rejection = hub.python(REPLAY_THE_LAST).split()
        wait_until_finished(hub)
        pages = {
            "overview": "/admin/",
            "delivery": f"/admin/deliveries/delivery/{delivery}/change/",
            "event": f"/admin/deliveries/event/{event}/change/",
            "endpoint": f"/admin/integrations/endpoint/{endpoint}/change/",
            "rejection": f"/admin/deliveries/rejection/{rejection}/change/",
        }
        make_pictures(hub, {name: folder / f"{name}.png" for name in pages}, pages, dark=False)
        make_pictures(hub, {"overview": folder / "overview-dark.png"}, pages, dark=True)
        erp.shutdown()


def make_pictures(hub: RunningHub, files: Mapping[str, Path], pages: Mapping[str, str], *, dark: bool) -> None:
    """Save a picture of each page that ``files`` names, as a logged-in administrator sees it."""
    with open_browser(width=1280, height=700, dark=dark) as browser:
        log_in(browser, hub)
        for name, file in files.items():
            shoot(browser, hub.url + pages[name], file)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
