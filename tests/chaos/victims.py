"""Which process of a running hub plays which part."""

from __future__ import annotations

from dataclasses import dataclass, field

import psutil

from tests.own_postgres import Rows
from tests.running_hub import RunningHub

#: What a round may kill; "postgres" only where the server is ours.
ROLES = ("web", "busy worker", "idle worker", "pusher", "monitor", "sentinel", "main", "supervisor", "postgres")


@dataclass
class Cast:
    """The parts of one hub's processes.

    django-q2 does not tell its processes apart. It starts the workers first, then the monitor, then the pusher, and
    replaces one that has died: so the parts are known by the order of their births, and from then on by who is missing.
    """

    hub: RunningHub
    rows: Rows
    workers: int
    _parts: dict[tuple[int, float], str] = field(default_factory=dict)
    _sentinel: int = 0

    def complete(self) -> bool:
        """Return whether every part is played, and take note of who plays it."""
        sentinel = self._sentinel_process()
        if sentinel is None or not self._web():
            return False
        children = {(child.pid, child.create_time()) for child in sentinel.children() if _lives(child)}
        if len(children) != self.workers + 2:
            return False
        if sentinel.pid != self._sentinel:
            self._sentinel, self._parts = sentinel.pid, {}
        missing = [*["worker"] * self.workers, "monitor", "pusher"]
        for known in [key for key in self._parts if key in children]:
            missing.remove(self._parts[known])
        self._parts = {key: part for key, part in self._parts.items() if key in children}
        for key in sorted(children - set(self._parts), key=lambda key: (key[1], key[0])):
            self._parts[key] = missing.pop(0)
        return True

    def find(self, role: str) -> int | None:
        """Return the process id of who plays ``role`` now; None if nobody does."""
        if role == "supervisor":
            return self.hub.process.pid if self.hub.process else None
        if role == "web":
            web = self._web()
            return web[-1].pid if web else None
        if role == "main":
            main = self._main()
            return main.pid if main else None
        if role == "sentinel":
            sentinel = self._sentinel_process()
            return sentinel.pid if sentinel else None
        if role in {"monitor", "pusher"}:
            return next((pid for (pid, _), part in self._parts.items() if part == role), None)
        return self._worker(busy=role == "busy worker")

    def _worker(self, *, busy: bool) -> int | None:
        found = self.rows("SELECT DISTINCT worker FROM deliveries_delivery WHERE status = 'running'")
        at_work = {int(name.rpartition(":")[2]) for (name,) in found}
        mine = [pid for (pid, _), part in self._parts.items() if part == "worker"]
        return next((pid for pid in mine if (pid in at_work) == busy), None)

    def _children(self, *words: str) -> list[psutil.Process]:
        assert self.hub.process is not None
        children = psutil.Process(self.hub.process.pid).children()
        return [child for child in children if _lives(child) and all(word in child.cmdline() for word in words)]

    def _web(self) -> list[psutil.Process]:
        """Return the web server's main process and its workers."""
        masters = self._children("gunicorn")
        workers = [child for child in masters[0].children() if _lives(child)] if masters else []
        return [masters[0], *workers] if workers else []

    def _main(self) -> psutil.Process | None:
        return next(iter(self._children("django", "worker")), None)

    def _sentinel_process(self) -> psutil.Process | None:
        main = self._main()
        return next(filter(_lives, main.children()), None) if main else None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
