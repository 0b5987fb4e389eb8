"""The growth of a hub played through day by day, and the pages that say what comes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bench.growth.model import Assumed, Built, Figures, History, Model, steady

#: Whose processor time is taken.
_MACHINE = "2 cores, 2 GB, PostgreSQL"
_GOAL = 100_000_000
_BEGIN = 100_000
_DOUBLES_IN_DAYS = 90
_STEPS = {
    "apart": "the database on a machine of its own, web servers and workers on others",
    "objects": "bodies in an object storage",
    "partitions": "partitions by day, keys in a table of their own",
}


@dataclass(frozen=True)
class Step:
    """A step that is due: on which day of the growth, at which load, and what had run out."""

    day: int
    load: float
    what: str
    why: str


def grow(model: Model) -> Iterator[Step]:
    """Let traffic double every 90 days until the goal, and then stay; yield each step on the day it is due."""
    assumed, built = model.assumed, Built()
    days: deque[float] = deque(maxlen=assumed.days_of_events)
    ever, day, since = 0.0, 0, 0
    while since < assumed.days_of_events:
        load = min(_GOAL, _BEGIN * 2 ** (day / _DOUBLES_IN_DAYS))
        since += load == _GOAL
        days.append(load)
        ever += load
        history = History(sum(days), sum(list(days)[-assumed.days_of_bodies :]), ever)
        while (short := _shortest(model.parts_used(load, history, built)))[1] >= 1:
            built, what = _next(built, short[0])
            yield Step(day, load, what, short[0])
        day += 1


def _shortest(parts: dict[str, float]) -> tuple[str, float]:
    return max(parts.items(), key=lambda part: part[1])


def _next(built: Built, why: str) -> tuple[Built, str]:
    """Return the step that makes room for what has run out: the smallest that has not been taken yet."""
    if why == "processors of one machine":
        return replace(built, is_apart=True), _STEPS["apart"]
    if why == "disk" and not built.has_objects:
        return replace(built, has_objects=True), _STEPS["objects"]
    if why in {"deletion", "memory for indexes without order"} and not built.has_partitions:
        return replace(built, has_partitions=True), _STEPS["partitions"]
    shards = built.shards + 1
    return replace(built, shards=shards), f"{shards} databases, each with its endpoints"


def limits(model: Model) -> Iterator[tuple[str, float, str]]:
    """Yield each limit, the load that meets it where that load has never changed, and with which steps taken."""
    for name, built, taken in (
        ("processors of one machine", Built(), "none"),
        ("deletion", Built(is_apart=True), "database apart"),
        ("memory for indexes without order", Built(is_apart=True), "database apart"),
        ("disk", Built(is_apart=True), "database apart"),
        ("disk", Built(is_apart=True, has_objects=True), "bodies outside"),
        ("processors of the database", Built(is_apart=True), "database apart"),
        ("log of the database", Built(is_apart=True), "database apart"),
        ("transactions", Built(is_apart=True), "database apart"),
    ):
        part = model.parts_used(1e6, steady(1e6, model.assumed, years=3), built)[name]
        yield name, 1e6 / part, taken


def measured(growth: dict[str, Any], sizing: dict[str, Any]) -> Iterator[str]:
    """Yield what an event was measured to cost, as rows of a table in Markdown."""
    figures = Figures.of(growth, sizing[_MACHINE])
    yield f"| processor of web servers and workers | {1000 * figures.hub_seconds:.1f} ms |"
    yield f"| processor of the database | {1000 * figures.database_seconds:.1f} ms |"
    yield f"| bytes in tables and indexes | {figures.bytes:,.0f} |"
    yield f"| of these in indexes without order | {figures.random_index_bytes:,.0f} |"
    yield f"| bytes of the database's log | {figures.wal_bytes:,.0f} |"
    yield f"| transactions, those that read included | {figures.transactions:.1f} |"
    yield f"| commits a second of `pgbench`, 32 clients | {figures.commits_per_second:,.0f} |"
    yield f"| events a second that retention removes, without its pauses | {figures.removed_per_second:,.0f} |"


def pages(growth: dict[str, Any], sizing: dict[str, Any]) -> Iterator[str]:
    """Yield what the documentation says, in Markdown."""
    figures = Figures.of(growth, sizing[_MACHINE])
    for body_bytes in (int(growth["body_bytes"]), 10 * int(growth["body_bytes"])):
        model = Model(_with_bodies(figures, body_bytes), Assumed())
        yield from (f"**With bodies of {body_bytes // 1024} KiB:**", "")
        yield from ("| what runs out | at so many events a day | steps taken before |", "|---|---|---|")
        yield from (f"| {name} | {_million(load)} | {taken} |" for name, load, taken in limits(model))
        short = replace(model.assumed, days_of_events=40, days_of_bodies=40)
        (until,) = (load for name, load, _ in limits(replace(model, assumed=short)) if name.startswith("memory"))
        yield from ("", f"With events kept for 40 days, memory for indexes lasts until {_million(until)} a day.")
        yield from ("", "| day | events a day | step | because of |", "|---|---|---|---|")
        yield from map(_row, _runs(grow(model)))
        *_, last = [Built(), *_built(model)]
        hosts, disk = model.hosts(_GOAL), model.disk_bytes(_GOAL, last) / 1e12
        yield from ("", f"At 100 million: {hosts:.0f} machines of 8 cores for web servers and workers,")
        yield from (f"{last.shards} for databases, {disk:,.0f} TB on their disks after three years of it.", "")


def _runs(steps: Iterator[Step]) -> Iterator[list[Step]]:
    """Yield the steps, those in one that only add a database for the same reason as the one before."""
    run: list[Step] = []
    for step in steps:
        if run and not (_adds_one(run[-1]) and _adds_one(step) and run[-1].why == step.why):
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _adds_one(step: Step) -> bool:
    return step.what not in _STEPS.values()


def _row(run: list[Step]) -> str:
    first, last = run[0], run[-1]
    if first is last:
        return f"| {first.day} | {_million(first.load)} | {first.what} | {first.why} |"
    what = f"{first.what}; up to {last.what.partition(',')[0]}"
    return f"| {first.day} to {last.day} | {_million(first.load)} to {_million(last.load)} | {what} | {first.why} |"


def _built(model: Model) -> Iterator[Built]:
    built = Built()
    for step in grow(model):
        built, _ = _next(built, step.why)
        yield built


def _with_bodies(figures: Figures, body_bytes: int) -> Figures:
    """Return the figures with larger bodies: each byte more is one on the disk and one in the log."""
    more = body_bytes - figures.body_bytes
    return replace(figures, body_bytes=body_bytes, bytes=figures.bytes + more, wal_bytes=figures.wal_bytes + more)


def _million(load: float) -> str:
    return f"{load / 1e6:.1f} million" if load < 1e7 else f"{load / 1e6:,.0f} million"
