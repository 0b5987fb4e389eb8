"""The body of an event as a tree, in a real browser on a real web server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from tests.journeys.browser import barriers, console, open_browser, set_theme
from tests.running_hub import RunningHub, running_hub, wait_until, web_server

pytestmark = [pytest.mark.journey, pytest.mark.any_database]

#: One list of 40,000 items, 5 MB, and a small document with numbers that a browser rounds.
MAKE_EVENTS = """
import json
from django.contrib.auth.models import Group, User
from tests.factories import make_endpoint, make_event
user = User.objects.create_user("anna", password="correct horse battery", is_staff=True)
user.groups.add(Group.objects.get(name="viewer"))
endpoint = make_endpoint()
items = [{"id": f"item-{n}", "note": "x" * 80, "price": n} for n in range(40_000)]
for body in (
    json.dumps({"items": items}, indent=1).encode(),
    b'{"order": {"id": 12345678901234567890, "amount": 1.50, "said": "to \\\\\\"2.0\\\\\\\\", "many": 1E3, '
    b'"a name": [true, null, "<b>"]}}',
):
    print(make_event(endpoint, body=body, content_type="application/json").pk, len(body))
"""

#: How long the page was held up at most since it was opened, and how long it is by a reader that keeps numbers exact.
_HELD_UP = """
const done = arguments[arguments.length - 1];
const lengths = [0];
new PerformanceObserver((list) => lengths.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({type: "longtask", buffered: true});
setTimeout(() => {
    const longest = Math.max(...lengths);
    fetch(document.querySelector("[data-tree]").dataset.tree).then((answer) => answer.text()).then((text) => {
        const begun = performance.now();
        JSON.parse(text, (_key, value, context) => (String(value) === context.source ? value : value));
        done([longest, performance.now() - begun]);
    });
}, 500);
"""

#: Nodes that may be on the page, whatever the document holds.
MOST_NODES = 600


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path) as hub, web_server(hub, answers=lambda: _answers(hub)):
        yield hub


def _answers(hub: RunningHub) -> bool:
    try:
        return httpx.get(f"{hub.url}/health/live", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


class Page:
    """The page of an event, with what one does at its tree."""

    def __init__(self, browser: Chrome) -> None:
        self.browser = browser

    def find(self, css: str) -> list[str]:
        return [element.text for element in self.browser.find_elements(By.CSS_SELECTOR, css)]

    @property
    def path(self) -> str:
        return self.browser.find_element(By.ID, "tree-path").text

    def stands_at(self, path: str) -> bool:
        return self.path == path

    @property
    def nodes(self) -> int:
        return len(self.browser.find_elements(By.CSS_SELECTOR, "[role=treeitem]"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def open(self, address: str) -> None:
        self.browser.get(address)
        wait_until(lambda: self.nodes, what="the tree")


def _log_in(browser: Chrome, hub: RunningHub) -> None:
    browser.get(f"{hub.url}/admin/")
    browser.find_element(By.NAME, "username").send_keys("anna")
    browser.find_element(By.NAME, "password").send_keys("correct horse battery")
    browser.find_element(By.CSS_SELECTOR, "form [type=submit]").click()
    wait_until(lambda: "/login/" not in browser.current_url, what="the login")


class TestTheBodyOfAnEvent:
    def test_is_a_tree_that_keys_walk_and_that_stays_small_at_5_mb(self, hub: RunningHub) -> None:
        (large, size), (small, _) = (line.split() for line in hub.python(MAKE_EVENTS).strip().splitlines()[-2:])
        assert int(size) > 5_000_000
        with open_browser() as browser:
            _log_in(browser, hub)
            page = Page(browser)
            self._small(page, f"{hub.url}/admin/deliveries/event/{small}/change/")
            self._large(page, f"{hub.url}/admin/deliveries/event/{large}/change/")
            assert console(browser) == []
            for theme in ("light", "dark"):
                set_theme(browser, theme)
                page.open(f"{hub.url}/admin/deliveries/event/{small}/change/")
                assert bool(browser.find_elements(By.CSS_SELECTOR, "html.dark")) == (theme == "dark")
                assert barriers(browser) == []

    def _small(self, page: Page, address: str) -> None:
        page.open(address)
        shown = page.find(".hub-tree-row")
        assert "id: 12345678901234567890" in shown  # not rounded
        assert "amount: 1.5" in shown
        assert 'said: "to \\"2.0\\\\"' in shown  # a number in a string is none
        assert "many: 1000.0" in shown
        assert '2: "<b>"' in shown
        assert not page.browser.find_element(By.ID, "body-text").is_displayed()

        page.browser.find_element(By.CSS_SELECTOR, ".hub-tree-row").click()  # folds the root
        assert page.nodes == 1
        page.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.END)
        assert page.path == 'order."a name"'
        page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
        assert page.path == 'order."a name"[1]'
        page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
        assert page.nodes == 7

        page.browser.find_element(By.CSS_SELECTOR, "[data-tree-raw]").click()
        assert '"a name"' in page.browser.find_element(By.ID, "body-text").text
        assert not page.browser.find_element(By.CSS_SELECTOR, "[role=tree]").is_displayed()

    def _large(self, page: Page, address: str) -> None:
        parts = []  # a machine that stands still for a moment holds up one of them
        while len(parts) < 3 and min(parts, default=1.0) >= 0.5:
            page.open(address)
            assert page.nodes < MOST_NODES
            longest, at_once = page.browser.execute_async_script(_HELD_UP)
            parts.append(longest / at_once)
        assert min(parts) < 0.5, "the page is not held up while the document is read"
        field = page.browser.find_element(By.ID, "tree-search")
        for term, path in (("item-39999", "items[39999].id"), ("item-12345", "items[12345].id")):
            field.clear()
            field.send_keys(term)
            wait_until(partial(page.stands_at, path), what=path)
            assert page.nodes < MOST_NODES
        field.clear()
        field.send_keys("price")
        wait_until(lambda: page.find("[data-tree-status]") == ["1 of the first 1000"], what="the first of many")
        field.send_keys(Keys.ENTER)
        assert page.path == "items[1].price"
        assert page.nodes < MOST_NODES
