"""The lock and the port that only one hub can have."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deliveries.supervision.places import Taken, wait_for_lock, wait_for_port
from tests.running_hub import free_port

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "r+")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(lock: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


class TestTheLock:
    def test_is_taken_once_the_previous_holder_has_ended(self, tmp_path: Path) -> None:
        lock = tmp_path / "hub.lock"
        lock.write_text("4711")
        with hold(lock, 0.5):
            os.close(wait_for_lock(lock, until=time.monotonic() + 5))

        assert lock.read_text() == str(os.getpid())

    def test_names_the_process_that_keeps_it(self, tmp_path: Path) -> None:
        lock = tmp_path / "hub.lock"
        lock.write_text("4711")
        with hold(lock, 30) as holder:
            with pytest.raises(Taken, match="process 4711"):
                wait_for_lock(lock, until=time.monotonic() + 0.3)
            holder.kill()

    def test_is_held_by_the_children_of_a_holder_that_was_killed(self, tmp_path: Path) -> None:
        lock = tmp_path / "hub.lock"
        descriptor = wait_for_lock(lock, until=time.monotonic())
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], pass_fds=[descriptor])
        os.close(descriptor)

        with pytest.raises(Taken):
            wait_for_lock(lock, until=time.monotonic() + 0.3)

        child.kill()
        child.wait()
        os.close(wait_for_lock(lock, until=time.monotonic() + 1))


class TestThePort:
    def test_is_taken_once_it_is_free(self) -> None:
        port = free_port()
        other = wait_for_port("127.0.0.1", port, until=time.monotonic())
        with pytest.raises(Taken, match=f"port {port} on 127.0.0.1 is taken by another program"):
            wait_for_port("127.0.0.1", port, until=time.monotonic() + 0.3)
        other.close()

        wait_for_port("127.0.0.1", port, until=time.monotonic() + 1).close()

    def test_of_an_address_that_is_not_here_is_named(self) -> None:
        with pytest.raises(Taken, match=r"cannot listen on 192\.0\.2\.1"):
            wait_for_port("192.0.2.1", free_port(), until=time.monotonic())

    def test_accepts_connections_before_the_web_server_is_up(self) -> None:
        listener = wait_for_port("127.0.0.1", free_port(), until=time.monotonic())
        with socket.create_connection(listener.getsockname(), timeout=1), listener:
            connection, _ = listener.accept()
            connection.close()
