"""A Chromium for tests, without a window and without any traffic of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)


def chromium() -> tuple[str, str]:
    """Return the paths of Chromium and of its driver; skip the test where they are missing, but never in CI."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    if os.environ.get("CI"):
        pytest.fail("Chromium and chromedriver have to be installed in CI.")
    pytest.skip("Chromium or chromedriver is not installed.")


@contextmanager
def open_browser(*, width: int = 1440, height: int = 1000, dark: bool = False) -> Iterator[Chrome]:
    """Yield a browser whose console is recorded (`console`)."""
    binary, driver = chromium()
    options = ChromeOptions()
    options.binary_location = binary
    for flag in (*_FLAGS, f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(driver))
    try:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        if dark:
            set_theme(browser, "dark")
        yield browser
    finally:
        browser.quit()


@contextmanager
def seen_on_a_telephone(browser: Chrome) -> Iterator[None]:
    """Show pages 390 pixels wide, and as wide as before afterwards."""
    size = browser.execute_script("return [window.innerWidth, window.innerHeight]")
    for_all = {"deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**for_all, "width": 390, "height": 844})
    yield
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**for_all, "width": size[0], "height": size[1]})


def set_theme(browser: Chrome, theme: str) -> None:
    """Show pages ``light`` or ``dark`` from the next one on."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def barriers(browser: Chrome, *rules: str) -> list[str]:
    """Return what axe finds on the page that is serious or critical for somebody: rule, element, and why.

    Looks for all that axe knows, or for ``rules`` alone.
    """
    browser.execute_script(_axe())
    found: list[dict[str, Any]] = browser.execute_async_script(_ASK_AXE, rules)
    return [
        f"{rule['id']} ({rule['impact']}) {node['target']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
    ]


_ASK_AXE = """
const done = arguments[arguments.length - 1];
const chosen = arguments[0].length ? {runOnly: arguments[0]} : {};
axe.run(document, {resultTypes: ["violations"], ...chosen}).then(
    (result) => done(result.violations.filter((rule) => ["serious", "critical"].includes(rule.impact))),
    (error) => done([{id: String(error), impact: "none", nodes: [{target: [], html: "", failureSummary: ""}]}]));
"""


@cache
def _axe() -> str:
    """Return axe's source; skip the test where it is not installed (`make sdks`), but never in CI."""
    file = Path(__file__).parents[1] / "sdks" / "js" / "node_modules" / "axe-core" / "axe.min.js"
    if file.exists():
        return file.read_text(encoding="utf-8")
    if os.environ.get("CI"):
        pytest.fail("axe-core has to be installed in CI.")
    pytest.skip("axe-core is not installed.")


def console(browser: Chrome) -> list[str]:
    """Return what the console has said since it was last asked: errors of scripts and refusals by the page policy."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]
