"""The machines that are measured, what they carry, and what Zapier costs for the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.sizing.machine import Machine
from bench.sizing.prices import DISK_GB, SERVERS, ZAPIER

_LEAN = (("HUB_WEB_WORKERS", "1"), ("HUB_WORKERS", "1"))
MACHINES = (
    Machine("1 core, 1 GB, SQLite", 1, 1024, "sqlite", SERVERS[1, 1024]),
    Machine("1 core, 1 GB, PostgreSQL", 1, 1024, "postgres", SERVERS[1, 1024]),
    Machine("1 core, 1 GB, PostgreSQL, one process each", 1, 1024, "postgres", SERVERS[1, 1024], _LEAN),
    Machine("2 cores, 2 GB, PostgreSQL", 2, 2048, "postgres", SERVERS[2, 2048]),
)
#: Traffic has peaks: what a machine keeps up with is taken for four times its mean.
PEAK = 4
_DAY = 86_400
#: Of a disk, what events may fill.
_FILLED = 0.8


def table(found: dict[str, Any]) -> Iterator[str]:
    """Yield the figures of each machine as a table of the documentation, in the order of the machines."""
    yield (
        "| machine | events/s kept up | answer p50, p99 (ms) | start of the handler p99 (ms) | processor ms an event "
        "| memory (MB, PSS) | disk a million events | events a day | events that its disk holds | $ a month |"
    )
    yield "|---" * 10 + "|"
    for machine in MACHINES:
        if machine.name in found:
            yield _line(machine, found[machine.name])


def beside_zapier(found: dict[str, Any]) -> Iterator[str]:
    """Yield what Zapier's plans cost, and which of the measured machines carries the same for the least."""
    yield "| tasks a month | Zapier, $ a month | the hub, $ a month | part of the machine's events |"
    yield "|---" * 4 + "|"
    for tasks, dollars in sorted(ZAPIER.items()):
        able = [machine for machine in MACHINES if machine.name in found and _a_day(found[machine.name]) * 30 >= tasks]
        if able:
            least = min(able, key=lambda machine: machine.dollars)
            part = tasks / 30 / _a_day(found[least.name])
            yield f"| {tasks:,} | {dollars:,.2f} | {least.dollars:,.0f} ({least.name}) | {100 * part:.2g} % |"


def _line(machine: Machine, figures: dict[str, Any]) -> str:
    kept, pss = figures["kept_up"], figures["pss_mb"]
    cells = [
        machine.name,
        f"{kept['per_second']:,.0f}",
        f"{kept['ack_p50_ms']:,.0f}, {kept['ack_p99_ms']:,.0f}",
        f"{kept['lag_p99_ms']:,.0f}",
        f"{figures['cpu_ms_per_event']:.1f}",
        f"{pss['hub'] + pss['database']:,.0f}",
        f"{figures['bytes_per_event']['database'] / 1000:,.1f} GB",
        f"{_a_day(figures):,.0f}",
        f"{_held(machine, figures) / 1e6:.1f} million of {DISK_GB[machine.cores, machine.memory_mb]} GB",
        f"{machine.dollars:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _held(machine: Machine, figures: dict[str, Any]) -> float:
    """Return how many events fit on the disk of the machine."""
    return _FILLED * DISK_GB[machine.cores, machine.memory_mb] * 1e9 / float(figures["bytes_per_event"]["database"])


def _a_day(figures: dict[str, Any]) -> float:
    """Return how many events a day the machine is for."""
    return float(figures["kept_up"]["per_second"]) * _DAY / PEAK
