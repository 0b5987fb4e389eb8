"""What a load asks of machines, reckoned from what was measured; nothing here is measured or guessed.

What was assumed stands in `Assumed`: machines that can be rented, and traffic with a peak. All loads are events a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_DAY = 86_400
_GIGABYTE = 1e9
#: Their entries come in no order, so all of them have to be in memory for an insert to need no disk.
_RANDOM_INDEXES = ("event_by_body", "event_by_event_id", "event_once_per_dedupe_key")
#: Docs/decisions/0018: an event and its delivery once their parts have gone, and the key that stays for ever.
_STRIPPED_BYTES = 563 + 357
_KEY_BYTES, _KEY_INDEX_BYTES = 100, 32


@dataclass(frozen=True)
class Assumed:
    """Machines and traffic that the plan is for; all of it can be changed."""

    peak: float = 4  # the busiest second has so many times the mean
    used: float = 0.6  # of a processor, of memory and of a disk: the rest is for bad days
    cores_together: int = 8  # of one machine with everything on it
    cores: int = 32  # of the database's machine
    memory_gb: float = 128
    disk_gb: float = 8000
    wal_mb_per_second: float = 200  # that the disk and a replica's network take
    days_of_bodies: int = 90  # the hub's defaults
    days_of_events: int = 400


@dataclass(frozen=True)
class Figures:
    """What one event with one delivery costs, as measured."""

    hub_seconds: float
    database_seconds: float
    wal_bytes: float
    transactions: float
    commits_per_second: float
    body_bytes: float
    bytes: float
    random_index_bytes: float
    removed_per_second: float

    @classmethod
    def of(cls, growth: dict[str, Any], machine: dict[str, Any]) -> Figures:
        """Take them from the results: sizes by the last growth of the tables, processor time from a machine's."""
        before, last = growth["stages"][-2:]
        more = last["events"] - before["events"]
        each = {name: (size - before["bytes"][name]) / more for name, size in last["bytes"].items()}
        database = machine["database_cpu_ms_per_event"] / 1000
        return cls(
            hub_seconds=machine["cpu_ms_per_event"] / 1000 - database,
            database_seconds=database,
            wal_bytes=last["wal_bytes_per_event"],
            transactions=last["transactions_per_event"],
            commits_per_second=max(growth["commits_per_second"].values()),
            body_bytes=growth["body_bytes"],
            bytes=sum(each.values()),
            random_index_bytes=sum(each[name] for name in _RANDOM_INDEXES),
            removed_per_second=growth["removed_per_second"],
        )


@dataclass(frozen=True)
class Built:
    """Which steps have been taken."""

    is_apart: bool = False  # the database has a machine of its own
    has_objects: bool = False  # bodies are in an object storage
    has_partitions: bool = False  # by day; the keys are in a table of their own
    shards: int = 1


@dataclass(frozen=True)
class History:
    """How many events there are: in all, those young enough to have a body, and all that ever came."""

    kept: float
    whole: float
    ever: float


@dataclass(frozen=True)
class Model:
    """What was measured, on what is assumed."""

    figures: Figures
    assumed: Assumed = Assumed()

    def parts_used(self, load: float, history: History, built: Built) -> dict[str, float]:
        """Return by name which part of each limit a load needs; from 1 on it needs more than there is."""
        figures, assumed = self.figures, self.assumed
        peak = load * assumed.peak / _DAY / built.shards
        together = figures.hub_seconds + figures.database_seconds
        needed = {
            "processors of one machine": 0.0 if built.is_apart else peak * together / assumed.cores_together,
            "processors of the database": peak * figures.database_seconds / assumed.cores if built.is_apart else 0.0,
            "memory for indexes without order": self._random_bytes(history, built) / (assumed.memory_gb * _GIGABYTE),
            "disk": self._disk_bytes(history, built) / (assumed.disk_gb * _GIGABYTE),
            "log of the database": peak * figures.wal_bytes / (assumed.wal_mb_per_second * 1e6),
            "transactions": peak * figures.transactions / figures.commits_per_second,
        }
        found = {name: value / assumed.used for name, value in needed.items()}
        # It pauses for as long as it works, and has the whole day for what came in a day.
        found["deletion"] = 0.0 if built.has_partitions else load / _DAY / (figures.removed_per_second / 2)
        return found

    def hosts(self, load: float, cores: int = 8) -> float:
        """Return how many machines of ``cores`` web servers and workers need."""
        peak = load * self.assumed.peak / _DAY
        return peak * self.figures.hub_seconds / (cores * self.assumed.used)

    def disk_bytes(self, load: float, built: Built) -> float:
        """Return what is on all disks once ``load`` has gone on for as long as events are kept; keys of three years."""
        history = steady(load, self.assumed, years=3)
        return self._disk_bytes(history, built) * built.shards

    def _disk_bytes(self, history: History, built: Built) -> float:
        whole = self.figures.bytes - (self.figures.body_bytes if built.has_objects else 0)
        stripped = history.kept - history.whole
        keys = history.ever if built.has_partitions else history.ever - history.kept
        return (history.whole * whole + stripped * _STRIPPED_BYTES + keys * _KEY_BYTES) / built.shards

    def _random_bytes(self, history: History, built: Built) -> float:
        if built.has_partitions:  # only the partition of the day is written to, and the keys
            return (history.ever * _KEY_INDEX_BYTES) / built.shards
        gone = (history.ever - history.kept) * _KEY_INDEX_BYTES
        return (history.kept * self.figures.random_index_bytes + gone) / built.shards


def steady(load: float, assumed: Assumed, *, years: float) -> History:
    """Return the history of a load that has never changed."""
    return History(load * assumed.days_of_events, load * assumed.days_of_bodies, load * 365 * years)
