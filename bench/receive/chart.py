"""The chart of a results file: ``python -m bench.receive.chart NAME [NOTE...]`` writes docs/images/receiving.svg.

With notes, of those runs alone that have one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from bench.receive import results
from tests.running_hub import ROOT

_CHART = ROOT / "docs" / "images" / "receiving.svg"
_BAR, _GAP, _LEFT, _WIDTH = 18, 14, 170, 460
_STYLE = (
    ".t{fill:#1d1a2b}.s{fill:#55506b;font-size:12.5px}.r0{fill:#c9bdf0}.r1{fill:#6d4fd1}.r2{fill:#3d2a86}"
    "@media (prefers-color-scheme: dark){.t{fill:#f2f0fa}.s{fill:#bdb7d6}"
    ".r0{fill:#5b4d94}.r1{fill:#a893f2}.r2{fill:#ddd3ff}}"
)


def bars(runs: Sequence[Mapping[str, Any]], database: str) -> dict[str, list[tuple[str, float, float]]]:
    """Return (note, part of the bare server's answers, answers a second) of each case on ``database``."""
    found: dict[str, list[tuple[str, float, float]]] = {}
    for run in runs:
        for name, figures in run["figures"].get(database, {}).get("cases", {}).items():
            if "of_hello" in figures:
                found.setdefault(name, []).append((_note(run), figures["of_hello"], figures["per_second"]))
    return found


def _place(case: tuple[str, object]) -> tuple[str, int]:
    kind, _, connections = case[0].rpartition("-")
    return kind, int(connections)


def _note(run: Mapping[str, Any]) -> str:
    return str(run.get("note", run["measured_at"]))


def drawn(runs: Sequence[Mapping[str, Any]], database: str) -> Iterator[str]:
    """Yield the lines of the picture: a bar for each case and run, as long as its part of what the bare server does.

    Runs of one note have one colour.
    """
    runs = [run for run in runs if database in run["figures"]]
    found = bars(runs, database)
    notes = list(dict.fromkeys(map(_note, runs)))
    top = 28 + 18 * len(notes)
    longest = max(part for case in found.values() for _, part, _ in case)
    height = top + sum(len(case) * _BAR + _GAP for case in found.values()) + 10
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {height}" font-family="system-ui, sans-serif" '
        f'font-size="14" role="img" aria-labelledby="t">'
    )
    yield '<title id="t">Answers a second, as parts of what the same server does without work</title>'
    yield f"<style>{_STYLE}</style>"
    for number, note in enumerate(notes):
        y = 14 + 18 * number
        yield f'<rect class="r{number % 3}" x="10" y="{y}" width="12" height="12"/>'
        yield f'<text class="s" x="30" y="{y + 11}">{escape(note)}</text>'
    y = top
    for name, case in sorted(found.items(), key=_place):
        yield f'<text class="t" x="10" y="{y + 14}">{escape(name)}</text>'
        for note, part, per_second in case:
            number = notes.index(note)
            width = max(2, round(_WIDTH * part / longest))
            yield f'<rect class="r{number % 3}" x="{_LEFT}" y="{y}" width="{width}" height="{_BAR - 3}"/>'
            said = f"{part:.1%} of the bare server, {per_second:,.0f}/s"
            yield f'<text class="s" x="{_LEFT + width + 8}" y="{y + 12}">{said}</text>'
            y += _BAR
        y += _GAP
    yield "</svg>"


def chosen(name: str, notes: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the runs of the file ``name`` that have one of ``notes``, or all of them without any."""
    return [run for run in results.runs(name) if not notes or run.get("note") in notes]


if __name__ == "__main__":
    _CHART.write_text("\n".join(drawn(chosen(sys.argv[1], sys.argv[2:]), "postgres")) + "\n")
