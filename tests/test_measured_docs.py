"""What the documentation says of sizes is what was measured, or follows from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.growth import plan
from bench.growth.model import Assumed, Built, Figures, Model, steady
from bench.sizing import table
from bench.sizing.prices import DISK_GB, SERVERS
from tests.running_hub import ROOT


def results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "bench" / "results" / f"{name}.json").read_text())
    return found


def lines(path: str) -> set[str]:
    return set(Path(ROOT, path).read_text().splitlines())


class TestTheSizes:
    def test_are_those_that_were_measured(self) -> None:
        found = results("sizing")
        assert {*table.table(found), *table.beside_zapier(found)} <= lines("docs/reference/sizing.md")

    def test_are_of_machines_whose_memory_the_kernel_held_them_to(self) -> None:
        for name, figures in results("sizing").items():
            assert figures["memory_is_limited_by"].startswith("control group"), name
            assert figures["memory_most_mb"] <= 1.048576 * figures["machine"]["memory_mb"], name

    def test_have_a_price_and_a_disk_for_each_machine(self) -> None:
        assert set(SERVERS) == set(DISK_GB) == {(each.cores, each.memory_mb) for each in table.MACHINES}


class TestThePlan:
    def model(self, **assumed: float) -> Model:
        figures = Figures.of(results("growth"), results("sizing")["2 cores, 2 GB, PostgreSQL"])
        return Model(figures, Assumed(**assumed))  # type: ignore[arg-type]

    def test_is_what_follows_from_the_measurements(self) -> None:
        measured = results("growth"), results("sizing")
        assert {*plan.measured(*measured), *plan.pages(*measured)} <= lines("docs/explanation/scale.md")

    def test_comes_to_an_end_at_the_goal_with_nothing_short(self) -> None:
        steps = list(plan.grow(self.model()))
        assert [step.day for step in steps] == sorted(step.day for step in steps)
        assert steps[-1].load == 100_000_000

    def test_has_a_limit_twice_as_far_on_a_machine_twice_as_large(self) -> None:
        small = {(name, taken): load for name, load, taken in plan.limits(self.model())}
        large = {(name, taken): load for name, load, taken in plan.limits(self.model(memory_gb=256))}
        moved = {key for key in small if large[key] > 1.9 * small[key]}
        assert {name for name, _ in moved} == {"memory for indexes without order"}

    def test_has_bodies_leave_the_database_for_an_object_storage(self) -> None:
        model = self.model()
        history = steady(1e6, model.assumed, years=3)
        inside = model.parts_used(1e6, history, Built(is_apart=True))
        outside = model.parts_used(1e6, history, Built(is_apart=True, has_objects=True))
        assert outside["disk"] < inside["disk"]
        assert {name for name in inside if inside[name] != outside[name]} == {"disk"}
