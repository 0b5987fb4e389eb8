"""Who else on the machine can read the database."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.running_hub import RunningHub

pytestmark = pytest.mark.journey


@pytest.mark.any_database
class TestANewSqliteDatabase:
    def test_can_be_read_by_its_owner_alone_until_the_operator_says_otherwise(self, tmp_path: Path) -> None:
        database = tmp_path / "new.sqlite3"
        hub = RunningHub(f"sqlite:///{database}", tmp_path)

        hub.manage("migrate", "--verbosity", "0", "auth")
        assert stat.S_IMODE(database.stat().st_mode) == 0o600

        database.chmod(0o640)
        hub.manage("migrate", "--verbosity", "0", "auth")
        assert stat.S_IMODE(database.stat().st_mode) == 0o640
