"""docs/reference/settings.md and the code name the same settings."""

from __future__ import annotations

import re

from tests.running_hub import ROOT

READ = re.compile(r'env\.env_\w+\(\s*"([A-Z_]+)"')
DOCUMENTED = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)


class TestTheSettingsReference:
    def test_names_every_setting_that_is_read_and_no_other(self) -> None:
        read = set(READ.findall((ROOT / "hub" / "settings.py").read_text()))
        documented = set(DOCUMENTED.findall((ROOT / "docs" / "reference" / "settings.md").read_text()))

        assert len(read) > 20
        assert documented == read
