"""A smaller machine within this one: what is started inside of it has so many processors and so much memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Machine:
    """What is rented: processors, memory, the database that runs on it too, and settings that differ from the defaults.

    ``dollars`` is what such a machine costs a month; bench/sizing/prices.py says where that is from.
    """

    name: str
    cores: int
    memory_mb: int
    database: str
    dollars: float
    settings: tuple[tuple[str, str], ...] = ()


@dataclass
class Group:
    """A control group of the kernel below the one that this process is in, with a limit of memory."""

    path: Path
    limit: str
    most: str

    @classmethod
    def make(cls, name: str, *, memory_mb: int) -> Group | None:
        """Make one; None where the kernel or its administrator does not let this process do so."""
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if controllers == "memory":
                group = cls(_GROUPS / "memory" / own[1:] / name, "memory.limit_in_bytes", "memory.max_usage_in_bytes")
            elif not controllers:
                group = cls(_GROUPS / own[1:] / name, "memory.max", "memory.peak")
            else:
                continue
            with suppress(OSError):
                group.path.mkdir()
                if (group.path / group.limit).exists():
                    (group.path / group.limit).write_text(str(memory_mb * _MEGABYTE))
                    return group
                group.path.rmdir()
        return None

    @property
    def kind(self) -> str:
        """What holds the limit, in words."""
        return f"control group ({self.limit})"

    @property
    def most_mb(self) -> float:
        """The most memory that its processes have had, what the kernel keeps of their files for them included."""
        return int((self.path / self.most).read_text()) / 1e6

    @property
    def hits(self) -> int:
        """How often they have had to give something back because the limit was reached; 0 where it is not told."""
        file = self.path / "memory.failcnt"
        return int(file.read_text()) if file.exists() else 0

    def take_this_process(self) -> None:
        """Move this process into the group: what it starts begins there."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def give_this_process_back(self) -> None:
        """Move this process out again; what it has started stays."""
        (self.path.parent / "cgroup.procs").write_text(str(os.getpid()))


@contextmanager
def starting_inside(machine: Machine, group: Group | None) -> Iterator[None]:
    """Let all processes that are started in this block live on the machine; this one is back outside afterwards."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(every)[: machine.cores]))
    if group is not None:
        group.take_this_process()
    try:
        yield
    finally:
        if group is not None:
            group.give_this_process_back()
        os.sched_setaffinity(0, every)


@contextmanager
def outside(machine: Machine) -> Iterator[None]:
    """Keep this process, which sends, off the machine's processors; where there are no others it has to share them."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(every)[machine.cores :]) or every)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
