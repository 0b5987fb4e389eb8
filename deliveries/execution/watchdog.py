"""Ends worker processes in which nothing moves any more: the cluster's main process looks at their boards.

A thread that keeps Python's lock in a call to C stops the loop that enforces time limits in its own process. Seen from
here, the process is silent and one of its deliveries is past its time: that one is recorded as timed out, with the
place where it stood, the others are given back, and the process is killed; django-q2 starts a new one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import Error, connections
from django.utils import timezone

from deliveries.execution import report, runner
from deliveries.execution.board import BOARDS, SUFFIX, TRACE_SUFFIX, Line, Reading, read
from deliveries.execution.giving_back import give_back
from deliveries.execution.pulse import LEASE_PART, touch_beat_file
from deliveries.execution.timeouts import GRACE_SECONDS
from deliveries.models import Delivery, DeliveryStatus
from deliveries.stats import outcomes
from deliveries.stats.counting import counting

logger = structlog.get_logger(__name__)

#: A loop that works goes round several times a second.
SILENT_SECONDS = 3.0
#: A process that is silent for so long is ended whatever it runs: others have taken over its deliveries by then.
GONE_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_TRACE_SECONDS = 0.3


@contextmanager
def boards() -> Iterator[Path]:
    """Yield a new folder for the boards of the worker processes that are started within; it is gone afterwards."""
    # Of this host alone: another's process ids, as those of a container on the same volume, mean nothing here.
    prefix = f"worker-boards-{socket.gethostname()[:100]}-"
    for left in settings.HUB_DATA_DIR.glob(f"{prefix}*"):  # by a main process that was killed
        pid = left.name.removeprefix(prefix)
        if pid.isdecimal() and not _exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    folder: Path = settings.HUB_DATA_DIR / f"{prefix}{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[BOARDS] = str(folder)
    try:
        yield folder
    finally:
        del os.environ[BOARDS]
        shutil.rmtree(folder, ignore_errors=True)


class Watchdog:
    """Looks at the boards in ``folder``, at most twice a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._look_at = 0.0
        self._vouch_at: dict[int, float] = {}

    def look(self) -> None:
        """End what has to be ended. Raises nothing for a database that is away: then the leases run out."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        for path in self._folder.glob(f"*{SUFFIX}"):
            pid = int(path.stem)
            if not _exists(pid):
                path.unlink(missing_ok=True)
                path.with_suffix(TRACE_SUFFIX).unlink(missing_ok=True)
                continue
            with path.open("rb") as file:
                self._judge(pid, read(file))

    def _judge(self, pid: int, reading: Reading) -> None:
        now = time.monotonic()
        silent = now - reading.seen_at
        if not reading.at_work or silent < SILENT_SECONDS:
            return
        overdue = [line for line in reading.lines if line.over_at + GRACE_SECONDS <= now]
        # Of a process that is within its time nothing is said, however long that is.
        latest = max((line.over_at for line in reading.lines), default=reading.seen_at)
        if overdue or now > latest + GONE_SECONDS:
            self._end(pid, overdue)
        elif reading.lines:
            self._vouch(pid)

    def _vouch(self, pid: int) -> None:
        """Renew the leases of a process that cannot, while all it runs is within its time.

        Otherwise others would take over what runs, hang on it in their turn, and have the supervisor end everything.
        """
        lease = settings.HUB_LEASE_SECONDS * LEASE_PART
        if time.monotonic() < self._vouch_at.get(pid, 0.0):
            return
        self._vouch_at[pid] = time.monotonic() + lease / 3
        touch_beat_file()
        try:
            Delivery.objects.filter(worker=_name(pid), status=DeliveryStatus.RUNNING).update(
                lease_until=timezone.now() + timedelta(seconds=lease)
            )
        except Error as exc:
            logger.warning("worker.not_vouched_for", pid=pid, error_type=type(exc).__name__)
        finally:
            connections.close_all()

    def _end(self, pid: int, overdue: Sequence[Line]) -> None:
        hung = _at_fault(pid, overdue)
        trace = self._trace(pid)
        logger.error("worker.hangs", pid=pid, deliveries=[str(line.delivery_id) for line in hung])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        try:
            _record(_name(pid), hung, trace)
        except Error as exc:
            logger.warning("worker.not_recorded", pid=pid, error_type=type(exc).__name__)
        finally:
            connections.close_all()

    def _trace(self, pid: int) -> str:
        """Return where all threads of ``pid`` stand; Python writes it from the signal, whoever has its lock."""
        path = self._folder / f"{pid}{TRACE_SUFFIX}"
        if not path.exists():
            return ""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        time.sleep(_TRACE_SECONDS)
        return path.read_text(errors="replace")


def _name(pid: int) -> str:
    return f"{socket.gethostname()[:100]}:{pid}"


def _record(worker: str, hung: Sequence[Line], trace: str) -> None:
    now = timezone.now()
    running = Delivery.objects.filter(worker=worker, status=DeliveryStatus.RUNNING).select_related("route", "endpoint")
    lines = {line.delivery_id: line for line in hung}
    held = {}
    for delivery in running:
        line = lines.get(delivery.pk)
        if line is None or line.number != delivery.attempt_count:
            held[delivery.pk] = delivery.attempt_count
            continue
        ending = runner.hung(delivery, stack=_stack_of(trace, line.ident), now=now)
        closed = Delivery.objects.close(
            delivery.pk, line.number, ending.result, status=ending.status, now=now, due_at=ending.due_at
        )
        if closed:
            report.closed(delivery, ending)
            error = ending.result.error_type
            outcomes.ended(delivery, ending.result.outcome, ending.status, now=now, error=error)
    give_back(held, worker=worker, now=now)
    counting.flush()


def _at_fault(pid: int, overdue: Sequence[Line]) -> list[Line]:
    """Return those of ``overdue`` whose thread computes: the others may be past their time only because of it.

    If none does, or the kernel does not tell, each may be at fault.
    """
    before = {line.native_id: _cpu_ticks(pid, line.native_id) for line in overdue}
    time.sleep(_TRACE_SECONDS)
    computing = [line for line in overdue if _cpu_ticks(pid, line.native_id) > before[line.native_id]]
    return computing or list(overdue)


def _cpu_ticks(pid: int, native_id: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/task/{native_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _stack_of(trace: str, ident: int) -> str:
    found = re.search(rf"^(?:Current t|T)hread 0x0*{ident:x}\b.*\n((?:  .*\n?)+)", trace, re.MULTILINE)
    return f"Where it stood (innermost call first):\n{found[1]}" if found else ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
