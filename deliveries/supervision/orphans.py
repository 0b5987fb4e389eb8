"""No process outlives the one that started it, not even if that one is killed with ``kill -9``.

On Linux the kernel does it (``PR_SET_PDEATHSIG``); elsewhere a thread looks for a new parent twice a second. The kernel
watches the parent's *thread* that forked: start children from a thread that lives as long as its process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

#: The environment variable by which the supervisor tells what it starts whose child that is.
SUPERVISOR_PID = "HUB_SUPERVISOR_PID"

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.5
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _Forks:
    """Whose child a fork of this process is: kept in memory, because the parent may be gone when the child asks."""

    pid = 0


def end_with_parent(expected_parent_pid: int | None = None) -> None:
    """Have this process killed (SIGKILL) as soon as its parent ends; within half a second where Linux cannot help.

    ``expected_parent_pid`` is the parent as the starter knew it: if this process has another one by now, the parent
    has ended before the call, and so does this process, at once. None trusts the present parent.
    """
    parent = os.getppid() if expected_parent_pid is None else expected_parent_pid
    if _LIBC is None:
        threading.Thread(target=_watch, args=(parent,), name="end-with-parent", daemon=True).start()
    elif _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        _end()


def end_forks_with_parent() -> None:
    """Do the same for every process that is forked off this one from now on, and off those. A second call is free."""
    if not _Forks.pid:
        os.register_at_fork(after_in_child=_in_fork)
    _Forks.pid = os.getpid()


def _in_fork() -> None:
    parent, _Forks.pid = _Forks.pid, os.getpid()
    end_with_parent(parent)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    _end()


def _end() -> None:
    # The parent is gone: nobody is left to report to, and handlers of signals may be waiting for something.
    os.kill(os.getpid(), signal.SIGKILL)
