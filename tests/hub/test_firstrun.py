"""The first run's keys."""

from __future__ import annotations

import stat
from pathlib import Path

import environ
from cryptography.fernet import Fernet

from hub import firstrun


class TestTheFirstRun:
    def test_writes_keys_that_only_the_owner_can_read(self, tmp_path: Path) -> None:
        path = tmp_path / ".env"

        assert firstrun.main(path) == 0

        values = dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#"))
        assert set(values) == {"SECRET_KEY", "HUB_ENCRYPTION_KEYS", "HUB_SECRET_DEMO"}
        assert len(values["SECRET_KEY"]) >= 50
        Fernet(values["HUB_ENCRYPTION_KEYS"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_is_read_back_as_it_was_written(self, tmp_path: Path) -> None:
        path = tmp_path / ".env"
        firstrun.main(path)
        written = dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#"))

        read: dict[str, str] = {}
        environ.Env.ENVIRON, before = read, environ.Env.ENVIRON
        try:
            environ.Env.read_env(str(path))
        finally:
            environ.Env.ENVIRON = before

        assert read == written

    def test_leaves_keys_that_are_there_alone(self, tmp_path: Path) -> None:
        path = tmp_path / ".env"
        path.write_text("SECRET_KEY=mine\n")

        assert firstrun.main(path) == 0

        assert path.read_text() == "SECRET_KEY=mine\n"

    def test_differs_from_one_hub_to_the_next(self, tmp_path: Path) -> None:
        firstrun.main(tmp_path / "one")
        firstrun.main(tmp_path / "two")

        assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()
