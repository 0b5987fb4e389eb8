from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from deliveries.execution.board import BOARDS
from deliveries.execution.watchdog import boards


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.HUB_DATA_DIR = tmp_path
    return tmp_path


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class TestTheBoards:
    def test_have_a_folder_of_their_own_while_the_workers_run(self, folder: Path) -> None:
        with boards() as own:
            assert (own.is_dir(), os.environ[BOARDS]) == (True, str(own))

        assert (list(folder.iterdir()), BOARDS in os.environ) == ([], False)

    def test_of_a_killed_process_of_this_host_are_removed_and_no_others(self, folder: Path) -> None:
        host, gone = socket.gethostname(), ended_process()
        killed = folder / f"worker-boards-{host}-{gone}"
        alive = folder / f"worker-boards-{host}-{os.getppid()}"
        elsewhere = folder / f"worker-boards-{host}-2-{gone}"
        for left in (killed, alive, elsewhere):
            left.mkdir()

        with boards():
            pass

        assert sorted(folder.iterdir()) == sorted([alive, elsewhere])
