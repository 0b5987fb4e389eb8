"""A child that is a copy of its parent, tried in a program of its own: a test run has threads and connections."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import TestCase

import pytest

from tests.running_hub import ROOT

BEGIN = """
import atexit, os, signal, sys, time
from deliveries.supervision.forked import Forked

def fork(run, **values):
    return Forked(run, **{"title": ["hub", "test"], "environment": {"NEW": "1"}, "folder": "/", **values})
"""


def said(code: str) -> str:
    """Return what a program prints that makes children."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code, "and room", "for a title"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


class ACopyOfAProcessTests(TestCase):
    def test_has_what_its_parent_has_loaded_in_a_session_folder_and_environment_of_its_own(self) -> None:
        code = """
loaded = [1]
def run():
    print(loaded, os.getsid(0) == os.getpid(), os.getcwd(), os.environ["NEW"], sys.stdin.fileno())
child = fork(run)
print(child.wait(20), "NEW" in os.environ)
"""
        self.assertEqual(said(code), "[1] True / 1 0\n0 False\n")

    def test_ends_with_the_status_of_what_it_ran_and_never_in_its_parents_place(self) -> None:
        code = """
def fail():
    raise ValueError
try:
    codes = [fork(lambda status=status: sys.exit(status)).wait(20) for status in (0, 3, None, "no")]
    codes.append(fork(fail).wait(20))
    killed = fork(lambda: time.sleep(60))
    killed.terminate()
    print(codes, killed.wait(20))
finally:
    print("the parent's own")
"""
        self.assertEqual(said(code), "[0, 3, 0, 1, 1] -15\nthe parent's own\n")

    def test_does_at_its_end_what_was_registered_for_it(self) -> None:
        self.assertEqual(said("fork(lambda: atexit.register(print, 'flushed')).wait(20)"), "flushed\n")

    def test_keeps_no_descriptor_that_it_is_to_close(self) -> None:
        code = """
kept, closed = os.pipe()
def run():
    os.fstat(kept)
    try:
        os.fstat(closed)
    except OSError:
        print("closed")
print(fork(run, closes=[closed]).wait(20))
os.fstat(closed)
"""
        self.assertEqual(said(code), "closed\n0\n")

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process write its arguments")
    def test_is_called_by_its_title(self) -> None:
        code = "fork(lambda: print(open('/proc/self/cmdline').read().strip(chr(0)).split(chr(0)))).wait(20)"

        self.assertEqual(said(code), "['hub', 'test']\n")


class TheSupervisorTests(TestCase):
    def test_has_loaded_nothing_that_each_tree_of_workers_has_to_make_for_itself(self) -> None:
        code = (
            "import sys, threading, django; django.setup(); import deliveries.management.commands.hub; "
            "print([name for name in sys.modules if name.startswith('deliveries.execution')], threading.active_count())"
        )
        settings = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60, check=True
        )

        # Their order to stop and their bell are memory that is shared with what is forked after it was made.
        self.assertEqual(done.stdout, "[] 1\n")
