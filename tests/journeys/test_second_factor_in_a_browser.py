"""A second factor in a real browser on a real hub: demanded, set up, shown at the next login, and without barriers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.by import By

from tests.deliveries.signing_in.codes import code
from tests.journeys.browser import barriers, console, open_browser
from tests.journeys.test_admin_in_a_browser import MAKE_PEOPLE, PASSWORD, Visit
from tests.running_hub import RunningHub, running_hub, web_server

pytestmark = [pytest.mark.journey, pytest.mark.any_database]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path, HUB_REQUIRE_SECOND_FACTOR="true", HUB_WEB_WORKERS="2") as hub:
        hub.python(MAKE_PEOPLE)
        with web_server(hub, answers=lambda: is_alive(hub)):
            yield hub


def is_alive(hub: RunningHub) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{hub.url}/health/live").status_code == 200
    return False


class TestASecondFactor:
    def test_is_set_up_and_then_shown(self, hub: RunningHub) -> None:
        with open_browser() as browser:
            visit = Visit(browser, hub)
            found: list[str] = []

            visit.open("/admin/deliveries/event/")
            visit.write("username", "anna")
            visit.write("password", PASSWORD)
            visit.click("Log in")
            visit.write("password", PASSWORD)  # once more, before it is set up
            found += barriers(browser)
            visit.click("Go on")
            secret = visit.find("//*[@id='totp-secret']").text
            picture = browser.find_element(By.CSS_SELECTOR, "img[alt^='QR code']")
            assert browser.execute_script("return arguments[0].naturalWidth", picture) > 0
            found += barriers(browser)
            visit.write("code", code(secret))
            visit.click("Set it up")
            codes = visit.find("//*[@id='recovery-codes']").text.split()
            assert len(codes) == 10
            found += barriers(browser)
            visit.click("Go on")
            visit.find("//h1[contains(., 'Overview')]")

            for text in (code(secret), codes[0]):
                browser.delete_all_cookies()
                visit.open("/admin/")
                visit.write("username", "anna")
                visit.write("password", PASSWORD)
                visit.click("Log in")
                visit.write("code", text)
                visit.click("Log in")
                visit.find("//h1[contains(., 'Overview')]")
            visit.open("/admin/account/second-factor/")
            visit.find("//p[contains(., '9 recovery codes are left')]")
            found += barriers(browser)
            assert [*found, *console(browser)] == []
