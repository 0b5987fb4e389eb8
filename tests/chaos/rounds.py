"""The rounds: kill one, see that the hub works again by itself and left no orphans, go on; at the end, the books."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psutil
import psycopg

from tests.chaos import accounts, traffic
from tests.chaos.handlers import LEDGER
from tests.chaos.traffic import Sender
from tests.chaos.victims import ROLES, Cast
from tests.own_postgres import OwnPostgres, Rows, own_postgres
from tests.running_hub import RunningHub, running_hub, wait_until

#: The hub has so long to work again after a kill (issue: within 30 s).
RECOVERY_SECONDS = 30.0
_SENDERS = 3
_WORKERS = 2
#: To wait for a worker to become idle, or busy, before another part is killed instead.
_PART_SECONDS = 5.0
#: Shorter than in production, so that a run has more rounds; ``settings`` of a run say otherwise.
QUICK = {"HUB_LEASE_SECONDS": "5", "HUB_FROZEN_SECONDS": "15"}


@dataclass(frozen=True)
class Round:
    """One kill, and how long it took until the hub worked again."""

    number: int
    role: str
    seconds: float


@dataclass
class Report:
    """What a run found. ``faults`` are broken promises, in sentences; a good run has none."""

    rounds: list[Round] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    acknowledged: int = 0
    attempts: int = 0
    silent_seconds: float = 0.0

    def table(self) -> Iterator[str]:
        """Yield a line for each part that was killed: how often, and the slowest return."""
        for role in ROLES:
            times = [item.seconds for item in self.rounds if item.role == role]
            if times:
                mean, worst = sum(times) / len(times), max(times)
                yield f"{role:12} {len(times):4} kills, back after {mean:5.1f} s, at most {worst:5.1f} s"
        yield f"longest time without the start of a handler: {self.silent_seconds:.1f} s"
        yield f"{self.acknowledged} events acknowledged, {self.attempts} attempts, {len(self.faults)} faults"


class Chaos:
    """A hub under traffic, whose processes die one after the other."""

    def __init__(self, hub: RunningHub, ledger: Path, *, seed: int, postgres: OwnPostgres | None) -> None:
        self.report = Report()
        self.hub, self.postgres = hub, postgres
        self._ledger = ledger
        self._rng = random.Random(seed)
        self.rows = Rows(hub.environment["DATABASE_URL"])
        self._cast = Cast(hub, self.rows, _WORKERS)
        self._senders = [Sender(hub, f"customer{number}", seed=seed) for number in range(_SENDERS)]
        self._seen: dict[int, psutil.Process] = {}
        self._roles = self._schedule()

    def run(self, rounds: int, *, until: float, tell: Callable[[str], None]) -> Report:
        """Do up to ``rounds`` rounds, none of them begun after ``until`` (`time.monotonic`), and do the books."""

        def kill_all_sorts() -> None:
            for number in range(1, rounds + 1):
                if time.monotonic() > until:
                    break
                try:
                    done = self._round(number)
                except AssertionError as exc:
                    self.report.faults.append(str(exc))
                    tell(f"round {number}: FAULT {exc}")
                    self._replace_the_cluster()
                    continue
                self.report.rounds.append(done)
                tell(f"round {number}: {done.role} killed, works again after {done.seconds:.1f} s")

        return self.during(kill_all_sorts)

    def during(self, trouble: Callable[[], None]) -> Report:
        """Start hub and traffic, let ``trouble`` happen, end the traffic, and do the books.

        An AssertionError of ``trouble`` is one of the faults.
        """
        self.hub.start()
        wait_until(self._cast.complete, seconds=30, what="a complete hub")
        for sender in self._senders:
            sender.start()
        try:
            trouble()
        except AssertionError as exc:
            self.report.faults.append(str(exc))
        finally:
            for sender in self._senders:
                sender.ended.set()
        self._do_the_books()
        return self.report

    def ended(self) -> Counter[UUID]:
        """Return how often the handler of each delivery ran to its end."""
        return Counter(UUID(line.delivery) for line in accounts.read_ledger(self._ledger) if line.what == "end")

    def wait_until_it_works(self, probe: str, *, seconds: float, what: str) -> None:
        """Send an event named ``probe`` and wait until it has succeeded on every route, in a complete hub."""
        until = time.monotonic() + seconds
        wait_until(lambda: traffic.send_probe(self.hub, probe), seconds=seconds, what=what)
        wait_until(lambda: self._works_again(probe), seconds=until - time.monotonic(), what=what)

    def _schedule(self) -> Iterator[str]:
        """Yield the parts at random, each as often as the others."""
        roles = [role for role in ROLES if role != "postgres" or self.postgres]
        while True:
            self._rng.shuffle(roles)
            yield from roles

    def _round(self, number: int) -> Round:
        time.sleep(self._rng.uniform(0.3, 1.5))
        role = next(self._roles)
        self._see()
        self._kill(role)
        began = time.monotonic()
        what = f"round {number}: the hub's work after the end of {role}"
        self.wait_until_it_works(f"probe-{number:06}", seconds=RECOVERY_SECONDS, what=what)
        seconds = time.monotonic() - began
        wait_until(lambda: not self._orphans(), seconds=5, what=f"round {number}: the end of the orphans of {role}")
        return Round(number, role, seconds)

    def _replace_the_cluster(self) -> None:
        """Help a hub that did not help itself, so that the other rounds still tell something."""
        pid = self._cast.find("main")
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        wait_until(self._cast.complete, seconds=2 * RECOVERY_SECONDS, what="the return of the whole hub, with help")

    def _kill(self, role: str) -> None:
        if role == "postgres":
            assert self.postgres is not None
            self.postgres.kill()
            self.postgres.start()
            return
        pid = self._find(role)
        os.kill(pid, signal.SIGKILL)
        if role == "supervisor":
            assert self.hub.process is not None
            self.hub.process.wait(10)
            self.hub.start(wait=False)

    def _find(self, role: str) -> int:
        until = time.monotonic() + _PART_SECONDS
        while time.monotonic() < until:
            if pid := self._cast.find(role):
                return pid
        other = "busy worker" if role == "idle worker" else "idle worker"
        pid = self._cast.find(other)
        assert pid, f"nobody is the {role}"
        return pid

    def _works_again(self, probe: str) -> bool:
        with suppress(psutil.NoSuchProcess, psycopg.Error):
            assert self.hub.process is not None
            if self.hub.process.poll() is not None:
                return False
            done = self.rows(
                "SELECT COUNT(*) FROM deliveries_delivery d JOIN deliveries_event e ON e.id = d.event_id "
                f"WHERE e.event_id = '{probe}' AND d.status = 'succeeded'"
            )
            return done == [(traffic.ROUTES,)] and self._cast.complete()
        return False

    def _see(self) -> None:
        self._seen.update({process.pid: process for process in self.hub.processes()})

    def _orphans(self) -> list[psutil.Process]:
        own = {process.pid for process in self.hub.processes()}
        alive = [process for process in self._seen.values() if process.is_running() and process.pid not in own]
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    def _do_the_books(self) -> None:
        for sender in self._senders:
            sender.join(30)
            self.report.faults += [f"refused: {text}" for text in sender.refused]
        self._wait_for_the_end()
        acknowledged = [name for sender in self._senders for name in sender.acknowledged]
        lines = accounts.read_ledger(self._ledger)
        self.report.silent_seconds = accounts.longest_silence(lines)
        if self.report.silent_seconds > RECOVERY_SECONDS:
            self.report.faults.append(f"no handler was started for {self.report.silent_seconds:.0f} s")
        self.report.acknowledged = len(acknowledged)
        self.report.attempts = sum(line.what == "start" for line in lines)
        self.report.faults += accounts.faults(self.rows, lines, acknowledged, routes=traffic.ROUTES)
        if self.hub.process is not None and self.hub.process.poll() is None:
            assert self.hub.stop() == 0

    def _wait_for_the_end(self) -> None:
        """Wait until no delivery is unfinished, as long as their number goes down."""
        left, since = self._unfinished(), time.monotonic()
        while left:
            time.sleep(0.2)
            now = self._unfinished()
            if now < left:
                left, since = now, time.monotonic()
            elif time.monotonic() - since > RECOVERY_SECONDS:
                self.report.faults.append(f"stuck: {left} deliveries, none of which has ended for {RECOVERY_SECONDS} s")
                return

    def _unfinished(self) -> int:
        return int(self.rows(accounts.UNFINISHED)[0][0])


@contextmanager
def chaos(
    folder: Path, *, database: str, seed: int, settings: dict[str, str], database_url: str = ""
) -> Iterator[Chaos]:
    """Yield a hub that is ready to be hurt: on `sqlite`, a `postgres` of its own, or what is at ``database_url``."""
    ledger = folder / "ledger"
    ledger.touch()
    own = {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", LEDGER: str(ledger), "HUB_WORKERS": str(_WORKERS)}
    with ExitStack() as stack:
        postgres = stack.enter_context(own_postgres()) if database == "postgres" and not database_url else None
        own_url = postgres.create("chaos") if postgres else f"sqlite:///{folder / 'chaos.sqlite3'}"
        hub = stack.enter_context(running_hub(folder, database_url=database_url or own_url, **{**own, **settings}))
        hub.python(traffic.SET_UP)
        yield Chaos(hub, ledger, seed=seed, postgres=postgres)


def keep_evidence(folder: Path, to: Path) -> None:
    """Copy the hub's log and the ledger of a run that found something."""
    to.mkdir(parents=True, exist_ok=True)
    for name in ("hub.log", "ledger", "chaos.sqlite3"):
        if (folder / name).exists():
            shutil.copy(folder / name, to / name)
