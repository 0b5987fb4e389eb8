"""One hub, measured case by case; what it says that it took in has to be in its books."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.receive import costs, load
from bench.receive.cases import Case
from bench.receive.load import Load
from tests.running_hub import RunningHub, wait_until

#: The hub counts refusals and takes up what is due within a second.
_SETTLE_SECONDS = 1.5


@dataclass(frozen=True)
class Options:
    """How long and how far to measure."""

    seconds: float
    most: int
    settle_seconds: float
    profiles: Path | None = None


class Books:
    """`bench.receive.books`, asked with the hub's settings."""

    def __init__(self, hub: RunningHub) -> None:
        self._hub = hub

    def __call__(self, what: str, *arguments: Any) -> dict[str, Any]:
        """Return what the function ``what`` returns."""
        asked = f"import json\nfrom bench.receive import books\nprint(json.dumps(books.{what}(*{arguments!r})))"
        found: dict[str, Any] = json.loads(self._hub.python(asked).splitlines()[-1])
        return found

    def grow(self, events: int) -> None:
        """Fill ``events`` stored events, however long that takes."""
        command = [sys.executable, "-m", "bench.receive.books", str(events)]
        subprocess.run(command, env=self._hub.environment, check=True)  # noqa: S603 - our own module


class Measuring:
    """A running hub under load; ``folder`` takes the prepared requests."""

    def __init__(self, hub: RunningHub, folder: Path, options: Options) -> None:
        self._hub = hub
        self._books = Books(hub)
        self._folder = folder
        self._options = options

    def measure(self, case: Case, connections: int) -> dict[str, float]:
        """Return the figures of a case by name; ends the program if the hub's books say something else."""
        requests = self._prepared(case, connections)
        slug = case.slug(connections)
        if case.repeated:
            self._store_all(requests, slug)
        before, cpu = self._counts(slug), self._cpu()
        begun = time.time()
        with self._profile(slug):
            found = load.send(
                self._hub.url,
                requests,
                connections=connections,
                seconds=self._options.seconds,
                again=not case.stores,
            )
        ended = time.time()
        pss = costs.pss_mb(self._hub.processes())
        self._settle(slug, case)
        spent = self._cpu() - cpu
        self._check(case, slug, found=found, connections=connections, before=before)
        requests.unlink()
        handled = self._books("lags", slug) if case.stores and not case.held else {}
        answered = found.accepted + found.refused
        return {
            "answers": answered,
            "per_second": found.per_second,
            "p50_ms": found.p50_ms,
            "p99_ms": found.p99_ms,
            "cpu_us": 1e6 * spent / answered,
            "pss_mb": pss,
            **{name: value for name, value in handled.items() if name.startswith("lag")},
            **({"settled_s": max(0.0, handled["last_end"] - ended)} if handled else {}),
            "began_at": begun,
        }

    def _prepared(self, case: Case, connections: int) -> Path:
        slug = case.slug(connections)
        self._books("open_endpoint", slug, case.routes, case.held or case.repeated)
        path = self._folder / f"{slug}.requests"
        count = case.prepared(seconds=self._options.seconds, most=self._options.most)
        load.prepare(path, slug=slug, count=count, size=case.body_bytes, forged=case.forged)
        time.sleep(_SETTLE_SECONDS)  # the endpoint is known to every process from then on
        return path

    def _store_all(self, requests: Path, slug: str) -> None:
        """Send each once, so that all that follows are duplicates."""
        wanted = sum(1 for _ in load.lengths(requests))
        seconds = 2.0
        while self._counts(slug)["events"] < wanted:
            if seconds > self._options.settle_seconds:
                raise SystemExit(f"{slug}: what is to be repeated was not stored in time")
            # wrk begins at the file's beginning each time: a slow machine needs a longer run, not another.
            load.send(self._hub.url, requests, connections=32, seconds=seconds, again=True)
            seconds *= 2

    def _settle(self, slug: str, case: Case) -> None:
        """Wait until everything of the case is handled and recorded."""
        time.sleep(_SETTLE_SECONDS)
        if case.held or not case.stores:
            return

        def is_done() -> bool:
            return set(self._counts(slug)["states"]) <= {"succeeded"}

        wait_until(is_done, seconds=self._options.settle_seconds, what=f"{slug}: the end of all deliveries")

    def _refused(self, slug: str) -> int:
        """Return how many refusals the hub has counted."""
        return int(self._books("refused", slug)["refused"])

    def _check(self, case: Case, slug: str, *, found: Load, connections: int, before: dict[str, Any]) -> None:
        """Compare what was answered with what was recorded.

        At its end wrk leaves the requests that it waits for: as many as there are connections may be in the books that
        it does not count; what it counts has to be there.
        """
        counts = self._counts(slug)
        stored = counts["events"] - before["events"]
        made, per_event = sum(counts["states"].values()), case.routes
        failures: list[str] = []
        if case.forged:
            # Each process writes its counts every other second.
            wait_until(
                lambda: self._refused(slug) >= found.refused, seconds=5, what=f"{slug}: the count of all refusals"
            )
            refused = self._refused(slug)
            _demand(failures, found.accepted == 0 and stored == 0, f"{found.accepted} forged ones were accepted")
            _demand(
                failures, 0 <= refused - found.refused <= connections, f"{found.refused} refused, {refused} counted"
            )
        else:
            wanted = found.accepted if case.stores else 0
            slack = connections if case.stores else 0
            _demand(failures, found.refused == 0, f"{found.refused} good ones were refused")
            _demand(failures, 0 <= stored - wanted <= slack, f"{wanted} accepted, {stored} stored")
            _demand(failures, made == counts["events"] * per_event, f"{counts['events']} events, {made} deliveries")
        if case.stores and not case.held:
            _demand(failures, counts["attempts"] == made, f"{made} deliveries, {counts['attempts']} attempts recorded")
        if failures:
            raise SystemExit(f"{slug}: {'; '.join(failures)}; the hub said:\n{self._hub.output.read_text()[-2000:]}")

    def _counts(self, slug: str) -> dict[str, Any]:
        return self._books("counts", slug)

    def _cpu(self) -> float:
        return costs.cpu_seconds(self._hub.processes())

    def _profile(self, name: str) -> AbstractContextManager[Any]:
        folder = self._options.profiles
        if folder is None:
            return nullcontext()
        return _Spy(folder / f"{name}.txt", pid=self._hub.processes()[0].pid, seconds=self._options.seconds)


class _Spy:
    """py-spy beside a run: the stacks of all processes, folded, a line for each with how often it was seen."""

    def __init__(self, path: Path, *, pid: int, seconds: float) -> None:
        program = shutil.which("py-spy")
        if program is None:
            raise SystemExit("py-spy is needed for profiles (make bench-receive installs it)")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._command = [program, "record", "--pid", str(pid), "--subprocesses", "--nonblocking", "--rate", "100"]
        self._command += ["--duration", str(max(1, round(seconds))), "--format", "raw", "--output", str(path)]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - as found

    def __exit__(self, *error: object) -> None:
        if self._process.wait(60):
            raise SystemExit("py-spy could not look into the hub (is ptrace allowed?)")


def _demand(failures: list[str], holds: bool, otherwise: str) -> None:
    if not holds:
        failures.append(otherwise)
