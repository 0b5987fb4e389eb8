"""Setting up in a real browser on a real hub: the first steps, a rotated secret, pause and resume, and no barriers."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.journeys.browser import barriers, console, open_browser, seen_on_a_telephone, set_theme
from tests.journeys.test_admin_in_a_browser import MAKE_PEOPLE, Visit, erp
from tests.running_hub import RunningHub, running_hub, wait_until

pytestmark = pytest.mark.journey

OLD, NEW = "the first secret of the shop", "the second secret of the shop"
_numbers = count(1)
PAGES = """
from deliveries.models import AlertRule, Delivery, Event
from integrations.models import Endpoint, Route
endpoint, route = Endpoint.objects.get(), Route.objects.get()
start = "/admin/integrations/endpoint/first-steps/"
print("/admin/", f"/admin/deliveries/event/{Event.objects.first().pk}/change/",
      f"/admin/integrations/endpoint/{endpoint.pk}/change/", f"{start}{endpoint.pk}/route/http.forward/",
      "/admin/deliveries/event/", "/admin/deliveries/delivery/",
      f"/admin/deliveries/delivery/{Delivery.objects.first().pk}/change/",
      f"/admin/integrations/route/{route.pk}/change/", start, "/admin/tail/",
      f"/admin/deliveries/event/{Event.objects.first().pk}/edit/",
      f"/admin/deliveries/event/{Event.objects.first().pk}/difference/",
      f"/admin/integrations/route/{route.pk}/dry-run/", "/admin/deliveries/alert/", "/admin/deliveries/alertrule/",
      f"/admin/deliveries/alertrule/{AlertRule.objects.first().pk}/change/", "/admin/deliveries/erasure/",
      "/admin/auth/user/add/")
"""
#: So many of the pages are looked at in the dark, too.
IN_THE_DARK = 4


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path) as hub:
        hub.python(MAKE_PEOPLE)
        hub.start()
        yield hub


def send(hub: RunningHub, secret: str, *, kind: str = "order.paid") -> httpx.Response:
    """Send an event as the shop does: signed here, with nothing of the hub's own code."""
    body = json.dumps({"type": kind, "number": next(_numbers), "total": 42}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Signature": signature}
    return httpx.post(f"{hub.url}/hooks/shop", content=body, headers=headers)


def take_the_first_steps(visit: Visit, erp_url: str) -> None:
    """Go from the empty hub to the first handled event; leave once on the way, and come back."""
    visit.click("First steps")
    search = visit.find("//*[@data-picker-search]")
    search.send_keys("hmac")
    assert visit.find("//*[@data-picker-count]").text == "Found: 1"
    search.send_keys(Keys.ARROW_DOWN)
    visit.browser.switch_to.active_element.send_keys(Keys.ENTER)

    visit.write("slug", "shop")
    visit.find("//summary").click()
    visit.write("settings-event_type", "body:type")
    visit.click("Make the endpoint")
    assert visit.find("//*[@id='public-url']").text.endswith("/hooks/shop")
    visit.write("value", OLD)
    visit.click("Save the secret")
    visit.find("//*[contains(., 'Waiting for the first event')]")

    assert send(visit.hub, "not the secret").status_code == 401
    visit.find("//*[contains(., 'Refused: signature mismatch')]")
    visit.open("/admin/")
    visit.click("First steps")
    visit.click("shop")
    visit.find("//*[contains(., 'Waiting for the first event')]")
    assert send(visit.hub, OLD).status_code == 200
    visit.find("//*[contains(., 'The first event is here')]")

    visit.click("Choose what to do with it")
    search = visit.find("//*[@data-picker-search]")
    search.send_keys("forward")
    assert visit.find("//*[@data-picker-count]").text == "Found: 1"
    search.send_keys(Keys.ARROW_DOWN)
    visit.browser.switch_to.active_element.send_keys(Keys.ENTER)
    visit.write("config-url", f"{erp_url}/orders")
    visit.write("filter", "total > `100`")
    visit.find("//*[@data-preview-part]//*[.='left']")
    visit.write("filter", "total > `10`")
    visit.find("//*[@data-preview-part]//*[.='taken']")
    visit.click("Switch the route on")
    visit.click("Make its deliveries now")
    visit.find("//*[contains(., 'the first event is handled')]")
    visit.click("Endpoints")


def rotate_the_secret(visit: Visit) -> None:
    """Add the next secret, send with both, then with the next alone; the old one is ended when it is safe."""
    visit.click("shop")
    endpoint = visit.browser.current_url
    visit.click("Add another Secret")
    visit.write("secrets-1-value", NEW)
    visit.click("Save")
    assert [send(visit.hub, secret).status_code for secret in (OLD, NEW, OLD, NEW)] == [200] * 4
    visit.browser.get(endpoint)
    assert "2 at once" in visit.text()
    visit.hub.python(
        "from datetime import timedelta\n"
        "from django.utils import timezone\n"
        "from integrations.models import Secret\n"
        "month = timezone.now() - timedelta(days=30)\n"
        "old = Secret.objects.order_by('created_at').first()\n"
        "Secret.objects.filter(pk=old.pk).update(last_used_at=month, created_at=month)\n"
    )
    visit.browser.get(endpoint)
    assert "Safe to retire" in visit.text()
    visit.browser.find_element(By.XPATH, "//tr[contains(., 'Safe to retire')]//button").click()
    visit.click("Retire the secret")
    visit.find("//*[contains(., 'is ended')]")
    assert send(visit.hub, NEW).status_code == 200
    wait_until(lambda: send(visit.hub, OLD).status_code == 401, what="the end of the old secret")


def choose_a_broker(visit: Visit) -> None:
    """Begin a connection to a broker: the form asks for what its kind takes, and for nothing else."""
    visit.open("/admin/integrations/connection/add/")
    visit.find("//select[@name='kind']/option[@value='kafka']").click()
    assert visit.find("//input[@name='base_url']").get_attribute("placeholder") == "kafka+tls://broker.example.com:9093"
    proofs = visit.find("//select[@name='auth']")
    assert proofs.get_attribute("value") == "none"
    shown = proofs.find_elements(By.XPATH, "option[not(@hidden)]")
    assert [option.get_attribute("value") for option in shown] == ["none", "sasl"]
    visit.find("//select[@name='auth']/option[@value='sasl']").click()
    assert visit.find("//textarea[@name='auth_settings']").get_attribute("placeholder") == '{"mechanism": "PLAIN"}'
    assert visit.shows("//input[@name='credential_password']")
    visit.find("//select[@name='kind']/option[@value='sqs']").click()
    assert proofs.get_attribute("value") == "aws"


def pause_and_resume(visit: Visit, taken: list[bytes]) -> None:
    """Hold what comes, then let it go."""
    endpoint = visit.browser.current_url
    visit.click("Pause")
    visit.find("//*[contains(., 'events are stored, deliveries wait')]")

    def is_held() -> bool:
        assert send(visit.hub, NEW).status_code == 200
        visit.open("/admin/deliveries/delivery/?status=held")
        return visit.shows("//*[@id='result_list']//*[.='Held']")

    wait_until(is_held, what="a hold")
    before = len(taken)
    visit.browser.get(endpoint)
    visit.click("Resume")
    visit.find("//*[contains(., 'released')]")
    wait_until(lambda: len(taken) > before, what="the release")


def watch_the_tail(visit: Visit) -> None:
    """See an event come and go."""
    visit.click("Live tail")
    wait_until(
        lambda: (
            send(visit.hub, NEW, kind="seen.live").status_code == 200
            and visit.shows("//*[@data-tail-body]//a[.='seen.live']")
        ),
        what="the line",
    )
    visit.find("//*[@data-tail-body]//*[.='Succeeded']")
    with seen_on_a_telephone(visit.browser):
        wide = "const part = document.querySelector(arguments[0]); return part.scrollWidth - part.clientWidth"
        for part in ("html", ".hub-tail-lines"):
            assert visit.browser.execute_script(wide, part) == 0, f"{part} scrolls sideways"


@pytest.mark.any_database
class TestSettingUp:
    def test_leads_from_an_empty_hub_through_a_life_without_losing_an_event(self, hub: RunningHub) -> None:
        with erp() as (erp_url, taken), open_browser() as browser:
            visit = Visit(browser, hub)
            visit.log_in("anna")
            take_the_first_steps(visit, erp_url)
            rotate_the_secret(visit)
            pause_and_resume(visit, taken)
            watch_the_tail(visit)
            assert OLD not in browser.page_source
            choose_a_broker(visit)
            assert console(browser) == [], "no error of a script, nothing refused by the page policy"

            if hub.environment["DATABASE_URL"].startswith("sqlite"):  # the pages are the same on any database
                assert findings(visit) == {}


def findings(visit: Visit) -> dict[str, list[str]]:
    """Return what axe and the page policy find, by page; in the dark, where only colours differ, the contrast alone."""
    found: dict[str, list[str]] = {}
    pages = visit.hub.python(PAGES).split()
    for theme, rules, many in (("light", (), len(pages)), ("dark", ("color-contrast",), IN_THE_DARK)):
        set_theme(visit.browser, theme)
        for page in pages[:many]:
            visit.open(page)
            found[f"{page} {theme}"] = barriers(visit.browser, *rules) + console(visit.browser)
    visit.browser.delete_all_cookies()
    visit.open("/admin/login/")
    found["login"] = barriers(visit.browser) + console(visit.browser)
    return {page: lines for page, lines in found.items() if lines}
