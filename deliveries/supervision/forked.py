"""A child process that is a copy of its parent: what the parent has loaded is there, and its memory is shared."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

#: Places in /proc/self/stat after the command's name: where the arguments begin and end in memory.
_ARGUMENTS = slice(45, 47)
_LOOK_SECONDS = 0.05


class Forked:
    """A function that runs in a process and a session of its own; the part of `subprocess.Popen` that a starter needs.

    Only to be made where no other thread runs and no connection is open.
    """

    def __init__(
        self,
        run: Callable[[], object],
        *,
        title: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        closes: Collection[int] = (),
    ) -> None:
        # What is collected in the children would be copied for it; what is frozen is not even looked at.
        gc.collect()
        gc.freeze()
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            _live(run, title=title, environment=environment, folder=folder, closes=closes)

    def poll(self) -> int | None:
        """Return the exit status if it has ended: a signal's is negative; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit status; raises `subprocess.TimeoutExpired` after ``timeout`` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            time.sleep(_LOOK_SECONDS)
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def _live(
    run: Callable[[], object],
    *,
    title: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
    closes: Collection[int],
) -> NoReturn:
    """Be the child; never returns into what the parent was doing."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in closes:
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.environ.update(environment)
        os.chdir(folder)
        _name(title)
        run()
        code = 0
    except SystemExit as exc:
        # Also of what this process has forked in turn.
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(code)


def _end(code: int) -> NoReturn:
    """End as the interpreter ends, without the parent's frames: threads, what was registered, what is buffered."""
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _name(words: Sequence[str]) -> None:
    """Let lists of processes show ``words``, where the parent's own arguments leave room; on Linux."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begin, end = (int(field) for field in fields[_ARGUMENTS])
    except (OSError, ValueError):
        return
    text = b"".join(word.encode() + b"\0" for word in words)
    if 0 < len(text) <= end - begin:
        ctypes.memmove(begin, text.ljust(end - begin, b"\0"), end - begin)
