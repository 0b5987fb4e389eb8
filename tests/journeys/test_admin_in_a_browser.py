"""An operator's afternoon, in a real browser on a real hub: set up, fail, mend, replay."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from tests.journeys.browser import console, open_browser, seen_on_a_telephone
from tests.running_hub import RunningHub, running_hub, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.any_database]

PASSWORD = "correct horse battery"
SECRET = "the shop and the hub know this"
MAKE_PEOPLE = f"""
from django.contrib.auth.models import Group, User
for name, role in (("anna", "administrator"), ("vera", "viewer")):
    user = User.objects.create_user(name, password={PASSWORD!r}, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
"""


LAST_NIGHT = """
from datetime import UTC, datetime, timedelta
from deliveries.models import Delivery
midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
Delivery.objects.update(created_at=midnight - timedelta(hours=1))
"""


class Erp(http.server.BaseHTTPRequestHandler):
    """The system that events are forwarded to: /broken fails, anything else is well."""

    taken: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        broken = self.path == "/broken"
        if not broken:
            self.taken.append(body)
        self.send_response(500 if broken else 200)
        self.end_headers()
        self.wfile.write(b"the disk is full" if broken else b"thanks")

    def log_message(self, *_: Any) -> None:
        """Keep the test run's output clean."""


@contextmanager
def erp() -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of an `Erp`, and the bodies that it has taken."""
    handler = type("ThisErp", (Erp,), {"taken": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.taken
        server.shutdown()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path) as hub:
        hub.python(MAKE_PEOPLE)
        hub.start()
        yield hub


class Visit:
    """A browser at the hub's admin, with the few things that an operator does there."""

    def __init__(self, browser: Chrome, hub: RunningHub) -> None:
        self.browser = browser
        self.hub = hub

    def log_in(self, name: str) -> None:
        self.browser.delete_all_cookies()
        self.open("/admin/")
        self.write("username", name)
        self.write("password", PASSWORD)
        self.browser.find_element(By.CSS_SELECTOR, "form [type=submit]").click()
        self.find("//h1[contains(., 'Overview')]")

    def open(self, path: str) -> None:
        self.browser.get(self.hub.url + path)

    def find(self, xpath: str) -> WebElement:
        """Return the first element at ``xpath``, as soon as it can be seen."""
        found: WebElement = wait_until(lambda: self._seen(xpath), what=xpath)
        return found

    def _seen(self, xpath: str) -> WebElement | None:
        """Return the first element at ``xpath`` that can be seen now."""
        while True:
            with suppress(StaleElementReferenceException):  # the page, or this part of it, has just been renewed
                found = self.browser.find_elements(By.XPATH, xpath)
                return next((element for element in found if element.is_displayed()), None)

    def click(self, text: str) -> None:
        """Click the link or button that is called ``text``; it may stand under the bar at the bottom."""
        # A link of the sidebar holds its icon's name too, in a span of its own.
        named = f"normalize-space()={text!r} or span[normalize-space()={text!r}]"
        element = self.find(f"//*[self::a or self::button][{named}]")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def write(self, name: str, text: str) -> None:
        field = self.find(f"//*[@name={name!r}]")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
        field.clear()
        field.send_keys(text)

    def choose(self, name: str, value: str) -> None:
        field = self.find(f"//*[@name={name!r}]")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
        Select(field).select_by_value(value)

    def value(self, name: str) -> str:
        return self.browser.find_element(By.NAME, name).get_attribute("value") or ""

    def text(self) -> str:
        return self.browser.find_element(By.ID, "main").text

    def reload_until(self, condition: Callable[[], bool], what: str) -> None:
        def look() -> bool:
            self.browser.refresh()
            return condition()

        wait_until(look, what=what)

    def shows(self, xpath: str) -> bool:
        return self._seen(xpath) is not None


def go_past_the_sidebar(browser: Chrome) -> None:
    """The first thing that Tab reaches leads past the links of the sidebar, and is seen while it has the focus."""
    browser.refresh()
    ActionChains(browser).send_keys(Keys.TAB).perform()
    first = browser.switch_to.active_element
    assert first.text == "To the content"
    assert first.size["height"] > 20
    ActionChains(browser).send_keys(Keys.ENTER, Keys.TAB).perform()
    assert browser.execute_script("return document.getElementById('content').contains(document.activeElement)")
    assert first.size["height"] == 1


def send_order(hub: RunningHub) -> httpx.Response:
    """Send an event as the shop does: signed here, with nothing of the hub's own code."""
    body = json.dumps({"type": "order.paid", "total": 42}).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Signature": signature, "X-Event-Id": "order-1"}
    return httpx.post(f"{hub.url}/hooks/shop", content=body, headers=headers)


def set_up_endpoint(visit: Visit, erp_url: str) -> None:
    visit.click("Endpoints")
    visit.open("/admin/integrations/endpoint/add/")
    visit.write("slug", "shop")
    visit.choose("provider", "generic_hmac")
    assert "Settings of Generic: HMAC signature" in visit.text()
    visit.write("settings", '{"event_id": "header:X-Event-Id", "event_type": "body:type"}')
    visit.click("Add another Secret")
    visit.write("secrets-0-label", "first")
    visit.write("secrets-0-value", SECRET)
    visit.click("Add another Route")
    visit.write("routes-0-name", "Tell the ERP")
    visit.choose("routes-0-handler", "http.forward")
    assert json.loads(visit.value("routes-0-config")) == {"url": ""}, "a handler's defaults are offered"
    visit.write("routes-0-config", json.dumps({"url": f"{erp_url}/broken"}))
    visit.write("routes-0-retry", '{"max_attempts": 1}')
    visit.click("Save")
    visit.find("//*[contains(., 'is ready to receive')]")


def keep_the_failures_of_the_night(visit: Visit, folder: Path) -> None:
    """Find what failed last night, save the list as a view, and export it."""
    visit.hub.python(LAST_NIGHT)
    visit.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    visit.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Etc/GMT-1"})
    visit.open("/admin/")  # names the zone: it is shown and understood from the next page on
    visit.open("/admin/deliveries/delivery/")
    visit.click("Failed last night")
    visit.find("//a[.='order.paid']")
    shown = visit.find("//td//time | //th//time")
    assert shown.text.endswith(" 00:00:00"), "23:00 in UTC, one hour further in the viewer's zone"
    assert " 23:00:00.000000 UTC" in (shown.get_attribute("title") or "")

    visit.open("/admin/deliveries/delivery/?status=dead&when=last_night&event_type=order.*")
    visit.write("name", "Orders of the night")
    visit.click("Save view")
    visit.find("//a[.='Orders of the night'][@aria-current]")
    visit.click("Export")
    file: Path = wait_until(lambda: next(iter(folder.glob("delivery-*.csv")), None), what="the file")
    assert "order.paid" in file.read_text(encoding="utf-8")
    visit.open("/admin/deliveries/delivery/")


class TestAdministrator:
    def test_sets_up_mends_and_replays(self, hub: RunningHub, tmp_path: Path) -> None:
        with erp() as (erp_url, taken), open_browser() as browser:
            visit = Visit(browser, hub)
            visit.log_in("anna")
            set_up_endpoint(visit, erp_url)
            assert SECRET not in browser.page_source
            line = browser.find_element(By.ID, "curl-line").text

            answer = send_order(hub)
            assert (answer.status_code, answer.json()["status"]) == (200, "accepted")

            visit.click("Deliveries")
            visit.reload_until(lambda: "DEAD LETTER" in visit.text(), "the dead letter")
            keep_the_failures_of_the_night(visit, tmp_path)
            visit.click("order.paid")
            delivery = browser.current_url
            visit.find("//*[contains(., '500')]")
            assert "the disk is full" in visit.text()
            assert taken == []

            visit.click("Tell the ERP")
            visit.write("config-url", f"{erp_url}/orders")
            visit.click("Save")
            visit.find("//*[contains(., 'was changed successfully')]")

            browser.get(delivery)
            visit.click("Replay")
            visit.find("//h2[contains(., 'Replay: 1 of 1 delivery')]")
            visit.click("Replay 1 delivery")
            visit.find("//*[contains(., '1 delivery will run again')]")
            visit.reload_until(lambda: visit.shows("//header//*[.='Succeeded']"), "the success")
            assert "asked for by anna" in visit.text()
            assert [json.loads(body)["total"] for body in taken] == [42]

            pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=20)
            assert json.loads(pasted.stdout)["status"] == "accepted"
            assert console(browser) == [], "no error of a script, nothing refused by the page policy"


def open_by_keys(browser: Chrome, button: str, part: str, *, at: str) -> None:
    """Open what slides over the page as who has no pointer does: it takes the focus, and gives it back."""
    browser.get(at)
    has_focus = "return document.querySelector(arguments[0]).contains(document.activeElement)"
    wait_until(lambda: browser.find_element(By.CSS_SELECTOR, button).is_displayed(), what=button)
    browser.execute_script("document.querySelector(arguments[0]).focus()", button)
    assert browser.execute_script(has_focus, button), "it can have the focus"
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait_until(lambda: browser.execute_script(has_focus, part), what=f"the focus in {part}")
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    wait_until(lambda: browser.execute_script(has_focus, button), what=f"the focus on {button}")


class TestViewer:
    def test_sees_all_and_cannot_replay(self, hub: RunningHub) -> None:
        hub.python(
            "from django.utils import timezone\n"
            "from tests.factories import make_delivery, make_endpoint, make_route\n"
            "make_delivery(make_route(make_endpoint()), status='dead', finished_at=timezone.now())\n"
        )
        with open_browser() as browser:
            visit = Visit(browser, hub)
            visit.log_in("vera")
            visit.click("Deliveries")
            visit.click("test")
            assert "DEAD LETTER" in visit.text()
            assert not visit.shows("//button[contains(., 'Replay')]")
            go_past_the_sidebar(browser)
            open_by_keys(browser, "[data-filters]", "#changelist-filter", at=f"{hub.url}/admin/deliveries/delivery/")
            with seen_on_a_telephone(browser):
                open_by_keys(browser, "[data-menu]", "#nav-sidebar", at=f"{hub.url}/admin/deliveries/event/")
            browser.get(f"{hub.url}/admin/deliveries/delivery/")
            visit.click("test")

            status = browser.execute_async_script(
                """
                const done = arguments[arguments.length - 1];
                const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
                const body = new URLSearchParams({csrfmiddlewaretoken: token, confirmed: "yes"});
                fetch(location.pathname.replace("change/", "order/replay/"), {method: "POST", body})
                    .then((answer) => done(answer.status), (error) => done(String(error)));
                """
            )

            assert status == 403
        assert hub.python("from deliveries.models import Delivery; print(Delivery.objects.get().status)") == "dead"


class TestHome:
    def test_renews_itself_and_leaves_alone_what_one_does_there(self, hub: RunningHub) -> None:
        hub.python(
            "from django.utils import timezone\n"
            "from deliveries.models.rollup import Measure\n"
            "from deliveries.stats.counting import counting\n"
            "from tests.factories import make_delivery, make_endpoint, make_route\n"
            "route = make_route(make_endpoint(slug='shop'), name='to the ERP')\n"
            "make_delivery(route, status='dead', finished_at=timezone.now())\n"
            "counting.add(Measure.ACCEPTED, route.endpoint_id, at=timezone.now(), count=3)\n"
        )
        with open_browser() as browser:
            visit = Visit(browser, hub)
            visit.log_in("vera")
            visit.find("//figure//summary").click()
            browser.execute_script(
                "window.link = document.querySelector('.hub-concerns a'); window.link.focus();"
                "document.querySelector('[data-refresh]').dataset.refreshSeconds = '0.2';"
            )
            hub.python(
                "from django.utils import timezone\n"
                "from integrations.models import Route\n"
                "from tests.factories import make_delivery, make_endpoint, make_event, make_route\n"
                "first, now = Route.objects.get(), timezone.now()\n"
                "for route in (first, make_route(make_endpoint(slug='crm')), make_route(first.endpoint, name='a')):\n"
                "    event = make_event(route.endpoint, dedupe_key=str(route.pk))\n"
                "    make_delivery(route, event=event, status='dead', finished_at=now)\n"
            )
            browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")

            visit.find("//li[contains(., 'shop → to the ERP') and contains(., '2 deliveries gave up')]")
            visit.find("//li[contains(., 'crm →') and contains(., '1 delivery gave up')]")
            assert browser.execute_script("return document.activeElement === window.link")
            assert browser.execute_script("return document.querySelector('.hub-chart details').open")
            assert len(browser.find_elements(By.XPATH, "//ul[@class='hub-concerns']/li")) == 3
            assert console(browser) == []

            login = browser.get_cookie("sessionid")
            browser.delete_cookie("sessionid")
            visit.find("//p[contains(., 'What stands here may be old')]")
            browser.add_cookie(login)
            wait_until(lambda: not visit.shows("//p[contains(., 'What stands here may be old')]"), what="an answer")

            asked = (
                "return performance.getEntriesByType('resource').filter((one) => one.name.includes('overview')).length"
            )
            hide = "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});"
            browser.execute_script(hide, True)
            time.sleep(0.4)  # one that was under way has come
            before = browser.execute_script(asked)
            time.sleep(0.6)
            assert browser.execute_script(asked) == before, "nothing is asked for where nobody looks"
            browser.execute_script(f"{hide} document.dispatchEvent(new Event('visibilitychange'))", False)
            wait_until(lambda: browser.execute_script(asked) > before, what="catching up")
