"""The pages of the API, in a real browser on a real web server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.by import By

from tests.journeys.browser import console, open_browser
from tests.running_hub import RunningHub, running_hub, wait_until, web_server

pytestmark = [pytest.mark.journey, pytest.mark.any_database]

MAKE_USER = """
from django.contrib.auth.models import Group, User
user = User.objects.create_user("anna", password="correct horse battery", is_staff=True)
user.groups.add(Group.objects.get(name="viewer"))
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path) as hub:
        hub.python(MAKE_USER)
        with web_server(hub, answers=lambda: _answers(hub)):
            yield hub


def _answers(hub: RunningHub) -> bool:
    try:
        return httpx.get(f"{hub.url}/health/live", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


class TestThePagesOfTheApi:
    def test_open_after_the_login_and_call_the_hub_with_a_token(self, hub) -> None:
        token = hub.manage("create_token", "anna").stdout.split()[-1]
        with open_browser() as browser:
            browser.get(f"{hub.url}/api/docs/")
            assert "/admin/login/" in browser.current_url
            browser.find_element(By.NAME, "username").send_keys("anna")
            browser.find_element(By.NAME, "password").send_keys("correct horse battery")
            browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
            wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".opblock"), what="the operations")
            assert browser.current_url == f"{hub.url}/api/docs/"
            assert "Run a finished delivery again" in browser.find_element(By.TAG_NAME, "body").text

            browser.find_element(By.CSS_SELECTOR, ".btn.authorize").click()
            browser.find_element(By.CSS_SELECTOR, ".auth-container input").send_keys(token)
            browser.find_element(By.CSS_SELECTOR, ".auth-btn-wrapper .authorize").click()
            browser.find_element(By.CSS_SELECTOR, ".btn-done").click()
            block = browser.find_element(By.ID, "operations-events-list_events")
            block.find_element(By.CSS_SELECTOR, ".opblock-summary-control").click()
            for button in (".try-out__btn", ".btn.execute"):
                wait_until(lambda css=button: block.find_elements(By.CSS_SELECTOR, css), what=button)
                browser.execute_script("arguments[0].click()", block.find_element(By.CSS_SELECTOR, button))
            answer = ".live-responses-table tr.response .response-col_status"
            wait_until(lambda: block.find_elements(By.CSS_SELECTOR, answer), what="an answer")

            assert block.find_element(By.CSS_SELECTOR, answer).text.startswith("200")
            assert console(browser) == []
