"""docs/monitoring: Prometheus and Grafana are asked to look at metrics that there are, in words they understand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.test import SimpleTestCase, TestCase
from django.utils import timezone
from ruamel.yaml import YAML

from deliveries.metrics.described import METRICS
from deliveries.metrics.exposition import exposed
from tests.running_hub import ROOT

MONITORING = ROOT / "docs" / "monitoring"
NAME = re.compile(r"\bhub_[a-z_]+")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def expressions() -> list[str]:
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


class TheNamesTests(TestCase):
    def known(self) -> set[str]:
        text = exposed(None, now=timezone.now())[0].decode()
        return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | {
            "hub_database_connections",  # of PostgreSQL
            "hub_database_connections_limit",
            "hub_self_check_age_seconds",  # where HUB_SELF_CHECK_SECONDS is set
            "hub_request_wait_seconds",  # once a web server has looked
            "hub_disk_free_bytes",
        }

    def test_in_rules_dashboard_and_reference_are_those_of_metrics(self) -> None:
        known = self.known()
        rules = (MONITORING / "prometheus-rules.yml").read_text()
        for text in (rules, *expressions()):
            asked = {_SUFFIX.sub("", name) for name in NAME.findall(text)}
            self.assertLessEqual(asked, known)

    def test_on_the_dashboard_are_all_that_change(self) -> None:
        drawn = {_SUFFIX.sub("", name) for expression in expressions() for name in NAME.findall(expression)}
        self.assertEqual(self.known() - drawn, {"hub_build_info"})

    def test_of_counters_are_those_of_one_web_process_each_of_which_tells_of_the_whole_hub(self) -> None:
        rules = (MONITORING / "prometheus-rules.yml").read_text()
        for text in (rules, *expressions()):
            for found in re.finditer(r"\b(rate|increase)\(", text):
                self.assertRegex(text[: found.start()], r"max by \([a-z, ]+\) \($")

    def test_in_the_reference_are_all(self) -> None:
        page = (ROOT / "docs" / "reference" / "metrics.md").read_text()

        self.assertEqual(set(re.findall(r"^\| `(hub_[a-z_]+)", page, re.MULTILINE)), self.known())
        self.assertEqual({metric.exposed_name for metric in METRICS}, self.known())


class TheAlertsTests(SimpleTestCase):
    def setUp(self) -> None:
        groups = YAML(typ="safe").load(MONITORING / "prometheus-rules.yml")["groups"]
        self.rules = {rule["alert"]: rule["annotations"].get("runbook") for group in groups for rule in group["rules"]}

    def test_are_all_explained(self) -> None:
        page = (ROOT / "docs" / "how-to" / "monitor.md").read_text()
        self.assertEqual(set(re.findall(r"^\| `(Hub\w+)` \|", page, re.MULTILINE)), set(self.rules))

    def test_lead_to_the_runbook_that_names_them(self) -> None:
        index = (ROOT / "docs" / "runbooks" / "index.md").read_text()
        listed = {name: page for page, name in re.findall(r"\]\(([\w-]+\.md)\) \|.*\| `(Hub\w+)` \|", index)}
        led = {name: path.rpartition("/")[2] for name, path in self.rules.items() if path}
        self.assertEqual(listed, led)
        for name, page in led.items():
            self.assertIn(f"`{name}`", (ROOT / "docs" / "runbooks" / page).read_text())


@pytest.mark.skipif(not os.environ.get("CI") and not shutil.which("promtool"), reason="needs Prometheus' promtool")
class TestPromtool:
    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        shutil.copy(MONITORING / "prometheus-rules.yml", "rules.yml")

    def promtool(self, *arguments: str) -> None:
        run = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr

    @pytest.mark.any_database
    def test_sees_each_alert_fire_when_it_should_and_only_then(self) -> None:
        shutil.copy(ROOT / "tests" / "fixtures" / "prometheus-rules.test.yml", "rules.test.yml")

        self.promtool("test", "rules", "rules.test.yml")

    @pytest.mark.any_database
    def test_understands_what_the_dashboard_asks(self) -> None:
        rules = [
            {"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "5m")}
            for number, expr in enumerate(expressions())
        ]
        Path("board.yml").write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))

        self.promtool("check", "rules", "board.yml")


class TheDashboardTests(SimpleTestCase):
    def test_draws_no_panel_over_another(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24)
            taken |= cells
