"""docs/reference/settings.md and the code name the same settings."""

from __future__ import annotations

import re

from hub import env
from hub.described import SECTIONS, rows
from tests.running_hub import ROOT

READ = re.compile(r'env\.env_\w+\(\s*"([A-Z_]+)"')
DOCUMENTED = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)


class TestTheSettingsReference:
    def test_names_every_setting_that_is_read_and_no_other(self) -> None:
        read = set(READ.findall((ROOT / "hub" / "settings.py").read_text()))
        documented = set(DOCUMENTED.findall((ROOT / "docs" / "reference" / "settings.md").read_text()))

        assert len(read) > 20
        assert documented == read

    def test_describes_no_setting_that_is_not_read(self) -> None:
        declared = env.declared()

        described = [entry.name for _, entries in SECTIONS for entry in entries if not entry.value]
        assert sorted(described) == sorted(set(described) & declared.keys())

    def test_says_what_can_be_in_a_setting_and_what_is_without_one(self, monkeypatch) -> None:
        monkeypatch.setattr(env, "_declared", {})
        monkeypatch.setenv("HUB_A", "7")
        env.env_int("HUB_A", 5, minimum=1, maximum=9)
        env.env_secret("HUB_A")
        env.env_networks("HUB_B", ["127.0.0.0/8", "::1/128"])
        env.env_choice("HUB_C", "a", ("a", "b"))
        env.env_list("HUB_D")

        [(_, found)] = [(title, found) for title, found in rows(env.declared()) if title == "Not described yet"]

        assert [(row.name, row.value, row.default) for row in found] == [
            ("HUB_A", "whole number from 1 to 9", "5"),
            ("HUB_B", "networks, comma-separated", "`127.0.0.0/8, ::1/128`"),
            ("HUB_C", "`a` or `b`", "`a`"),
            ("HUB_D", "list, comma-separated", "none"),
        ]

    def test_takes_the_default_in_words_where_there_is_one(self) -> None:
        shown = {row.name: row for _, found in rows(env.declared()) for row in found}

        assert shown["HUB_WEB_WORKERS"].default == "1 on SQLite, 2 on PostgreSQL"
        assert shown["SECRET_KEY"].default == "none, required"
