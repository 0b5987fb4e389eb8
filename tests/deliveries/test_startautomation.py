"""``manage.py startautomation``: what it lays down works as it is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.running_hub import ROOT


def lay_down(name: str) -> str:
    out = io.StringIO()
    call_command("startautomation", name, stdout=out)
    return out.getvalue()


@pytest.mark.any_database
class TestStartautomation:
    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def test_says_what_comes_next(self) -> None:
        said = lay_down("orders")

        assert "HUB_AUTOMATIONS=orders" in said
        assert "pytest orders" in said

    def test_names_what_is_installed_already(self, settings: object) -> None:
        settings.HUB_AUTOMATIONS = ["crm"]  # type: ignore[attr-defined]

        assert "HUB_AUTOMATIONS=crm,orders" in lay_down("orders")

    def test_keeps_what_is_there(self) -> None:
        lay_down("orders")
        Path("orders/handlers.py").write_text("mine")

        with pytest.raises(CommandError, match="already exists"):
            lay_down("orders")
        assert Path("orders/handlers.py").read_text() == "mine"

    @pytest.mark.parametrize("name", ["two words", "json", "../up"])
    def test_refuses_what_is_no_name_for_a_new_package(self, name: str) -> None:
        with pytest.raises(CommandError):
            lay_down(name)

    def test_lays_down_tests_that_pass(self, tmp_path: Path) -> None:
        lay_down("orders")
        environment = {**os.environ, "HUB_AUTOMATIONS": "orders", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        environment.pop("PYTEST_ADDOPTS", None)

        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "orders"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

        assert "2 passed" in run.stdout, run.stdout + run.stderr
