"""The code of the release before, taken from git: it has to live with today's schema."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.running_hub import ROOT, RunningHub

#: Where `make upgrade-check` says what to upgrade from: a commit or tag, or ``the-release-before``.
ASKED = os.environ.get("HUB_UPGRADE_FROM", "")
_FOLDERS = ("deliveries/migrations", "integrations/migrations")


class Unknown(Exception):
    """Git does not know the code: no git, no history, no such commit."""


class HubOfBefore(RunningHub):
    """The hub of an unpacked release."""

    def __init__(self, root: Path, database_url: str, folder: Path, **settings: str) -> None:
        super().__init__(database_url, folder, **settings)
        self.root = root


def unpack(folder: Path) -> str:
    """Put the code of the release before into ``folder``; return its commit. Raises `Unknown`."""
    commit = _git("rev-parse", "--verify", f"{_reference()}^{{commit}}")
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True, timeout=60).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True, timeout=60)
    return commit


def newest_migrations(root: Path) -> list[str]:
    """Return the name of the newest migration of each app."""
    return [max(path.stem for path in (root / folder).glob("0*.py")) for folder in _FOLDERS]


def _reference() -> str:
    """Return what was asked for: a name, else the newest tag, else what was there before the newest migration."""
    if ASKED != "the-release-before":
        return ASKED
    try:
        return _git("describe", "--tags", "--abbrev=0")
    except Unknown:
        return _git("log", "-1", "--diff-filter=A", "--format=%H", "--", *_FOLDERS) + "^"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as exc:
        raise Unknown(f"git {arguments[0]} does not know it") from exc
    return done.stdout.strip()
