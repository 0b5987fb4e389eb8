"""What the documentation says of sizes is what was measured, or follows from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
