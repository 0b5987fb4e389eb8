"""Processes end with their parent."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from tests.running_hub import ROOT, wait_until

# A parent that starts a child, which forks a grandchild; each writes its process id, at one go, and waits.
CHILD = """
import os, sys, time
from deliveries.supervision.orphans import end_forks_with_parent, end_with_parent
end_forks_with_parent()
end_with_parent(int(sys.argv[1]))
if os.fork() == 0:
    if os.fork() == 0:
        os.write(1, b'%d\\n' % os.getpid())
        time.sleep(60)
    os.write(1, b'%d\\n' % os.getpid())
    time.sleep(60)
os.write(1, b'%d\\n' % os.getpid())
time.sleep(60)
"""
# Where the kernel does not help (anywhere but on Linux) a thread looks.
WITHOUT_KERNEL = "from deliveries.supervision import orphans; orphans._LIBC = None"
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], start_new_session=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


class TestProcesses:
    @pytest.mark.parametrize("prelude", ["", WITHOUT_KERNEL], ids=["kernel", "thread"])
    def test_end_soon_after_their_parent_was_killed(self, prelude: str) -> None:
        command = [sys.executable, "-W", "ignore", "-c", PARENT, prelude + CHILD]
        parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        descendants = [int(parent.stdout.readline()) for _ in range(3)]

        parent.kill()
        parent.wait()
        wait_until(lambda: not any(map(is_running, descendants)), seconds=15, what="the end of all descendants")

        parent.stdout.close()

    def test_end_at_once_if_the_parent_they_know_is_gone_already(self) -> None:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()

        child = subprocess.run([sys.executable, "-c", CHILD, str(gone.pid)], cwd=ROOT, check=False, timeout=10)

        assert child.returncode == -9
