"""One supervised program: started in a session of its own, ended whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from deliveries.supervision.forked import Forked

log = structlog.get_logger(__name__)

_LONGEST_PAUSE = 10.0
_STEADY_AFTER = 30.0


@dataclass
class Child:
    """A program that is to run all the time; seconds are `time.monotonic`.

    With ``run`` it is that function in a copy of this process, and ``command`` is what lists of processes show.
    It is asked to end by SIGTERM to its first process alone (django-q2's cluster hangs when the whole group gets it),
    and killed as a group, so that nothing it forked stays behind.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    descriptors: Sequence[int] = ()
    run: Callable[[], object] | None = None
    #: Descriptors that a copy of this process does not keep.
    closes: Collection[int] = ()
    _process: subprocess.Popen[bytes] | Forked | None = field(default=None, init=False)
    _started: float = field(default=0.0, init=False)
    _failures: int = field(default=0, init=False)
    _not_before: float = field(default=0.0, init=False)

    @property
    def pid(self) -> int | None:
        """The first process, or None while it does not run."""
        return self._process.pid if self._process else None

    def keep_running(self) -> None:
        """Start it if it does not run; after repeated failures no sooner than a growing pause allows."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._ended(code)
        if time.monotonic() >= self._not_before:
            self._start()

    def ask_to_end(self) -> None:
        """Send SIGTERM to its first process."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def has_ended(self) -> bool:
        """Return whether its first process is gone; what it forked is then killed."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        self._kill_group()
        self._process = None
        return True

    def kill(self) -> None:
        """End it and all it forked, now."""
        if self._process is not None:
            self._kill_group()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        self._process = self._program() if self.run is None else self._copy(self.run)
        self._started = time.monotonic()
        log.info("child.started", child=self.name, pid=self._process.pid)

    def _program(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own programs, no shell
            list(self.command),
            env=dict(self.environment),
            cwd=self.folder,
            pass_fds=list(self.descriptors),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _copy(self, run: Callable[[], object]) -> Forked:
        return Forked(run, title=self.command, environment=self.environment, folder=self.folder, closes=self.closes)

    def _ended(self, code: int) -> None:
        now = time.monotonic()
        self._kill_group()
        self._process = None
        self._failures = 0 if now - self._started > _STEADY_AFTER else self._failures + 1
        pause = min(_LONGEST_PAUSE, 2.0 ** (self._failures - 1)) if self._failures > 1 else 0.0
        self._not_before = now + pause
        log.error("child.ended", child=self.name, exit_code=code, restart_in_seconds=pause)

    def _kill_group(self) -> None:
        # Its session makes its process id the group's; the group outlives its first process as long as a member lives.
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
