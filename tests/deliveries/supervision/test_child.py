"""One supervised program."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from deliveries.supervision.child import Child
from tests.running_hub import wait_until

FORKS_AND_WAITS = "import os, time; os.fork(); print(os.getpid(), flush=True); time.sleep(60)"
IGNORES_SIGTERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def child(code: str, folder: Path) -> Child:
    return Child("test", [sys.executable, "-c", code], dict(os.environ), str(folder))


def group(pid: int) -> list[int]:
    return [
        p.pid
        for p in psutil.process_iter(["status"])
        if p.info["status"] != psutil.STATUS_ZOMBIE and _group_of(p.pid) == pid
    ]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


class TestAChild:
    def test_is_started_again_after_it_ended(self, tmp_path: Path) -> None:
        program = child("", tmp_path)
        program.keep_running()
        first = program.pid

        wait_until(lambda: program.keep_running() or program.pid not in {first, None}, what="a restart")

        program.kill()

    def test_is_started_again_more_and_more_slowly_when_it_keeps_ending(self, tmp_path: Path) -> None:
        program = child("", tmp_path)
        starts: list[tuple[int, float]] = []
        until = time.monotonic() + 4
        while time.monotonic() < until:
            program.keep_running()
            if program.pid and (not starts or starts[-1][0] != program.pid):
                starts.append((program.pid, time.monotonic()))
            time.sleep(0.02)
        program.kill()

        assert 3 <= len(starts) <= 4
        assert starts[2][1] - starts[1][1] >= 1

    def test_leaves_nothing_that_it_forked_when_it_is_killed(self, tmp_path: Path) -> None:
        program = child(FORKS_AND_WAITS, tmp_path)
        program.keep_running()
        pid = program.pid
        assert pid is not None
        wait_until(lambda: len(group(pid)) == 2, what="the fork")

        program.kill()

        wait_until(lambda: not group(pid), seconds=2, what="the end of the group")

    def test_leaves_nothing_that_it_forked_when_its_first_process_dies(self, tmp_path: Path) -> None:
        program = child(FORKS_AND_WAITS, tmp_path)
        program.keep_running()
        pid = program.pid
        assert pid is not None
        wait_until(lambda: len(group(pid)) == 2, what="the fork")

        os.kill(pid, signal.SIGKILL)
        wait_until(program.has_ended, what="the end")

        wait_until(lambda: not group(pid), seconds=2, what="the end of the group")

    @pytest.mark.parametrize("code", [IGNORES_SIGTERM])
    def test_that_ignores_the_request_to_end_is_killed_by_kill(self, tmp_path: Path, code: str) -> None:
        program = child(code, tmp_path)
        program.keep_running()
        time.sleep(0.5)

        program.ask_to_end()
        time.sleep(0.3)
        assert not program.has_ended()
        program.kill()

        assert program.has_ended()
