"""The table of a run: what was reached, beside what the machine can do at best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Any]

_COLUMNS = (
    ("per_second", "answers/s", "{:,.0f}"),
    ("of_commits", "of commits", "{:.1%}"),
    ("of_hello", "of hello", "{:.1%}"),
    ("p50_ms", "p50 ms", "{:.1f}"),
    ("p99_ms", "p99 ms", "{:.1f}"),
    ("cpu_us", "CPU us", "{:,.0f}"),
    ("lag_p50_ms", "lag p50 ms", "{:,.0f}"),
    ("lag_p99_ms", "lag p99 ms", "{:,.0f}"),
    ("settled_s", "settled s", "{:.1f}"),
    ("pss_mb", "PSS MB", "{:,.0f}"),
)


def with_ratios(figures: Figures, *, commits: Figures, hello: Figures) -> dict[str, Any]:
    """Return ``figures`` with their parts of what the machine can do with as many connections and bytes."""
    parts = {"of_commits": figures["per_second"] / commits["per_second"]} if commits else {}
    return {**figures, **parts, "of_hello": figures["per_second"] / hello["per_second"]}


def table(database: str, found: Figures) -> Iterator[str]:
    """Yield the lines of one database's table; a ratio is of the limit with as many connections."""
    yield f"{database}: limits in this run"
    for name, limit in found["limits"].items():
        yield f"  {name:34}" + "  ".join(f"{key} {value:,.2f}" for key, value in limit.items())
    yield f"{'':28}" + "".join(f"{title:>12}" for _, title, _ in _COLUMNS)
    for name, figures in found["cases"].items():
        cells = (form.format(figures[key]) if key in figures else "-" for key, _, form in _COLUMNS)
        yield f"{name:28}" + "".join(f"{cell:>12}" for cell in cells)
    for name, value in found["ratios"].items():
        yield f"  {name:60} {value:8.2f}"


def ratios(cases: Mapping[str, Figures], limits: Mapping[str, Figures]) -> dict[str, float]:
    """Return what compares two cases, as far as both were measured."""
    found: dict[str, float] = {}
    alone, commit, hello = cases.get("held-1"), limits.get("commits, 1 client, 1 KB"), limits.get("hello, 1 connection")
    if alone and commit and hello:
        found["p50 with 1 connection / (hello + one commit)"] = alone["p50_ms"] / (hello["p50_ms"] + commit["ms"])
    for connections in (1, 8, 32, 128):
        ours = cases.get(f"working-{connections}")
        for name, theirs in cases.items():
            if ours and name.startswith("celery-") and name.endswith(f"-{connections}"):
                found[f"accepted with workers running / {name}"] = ours["per_second"] / theirs["per_second"]
                found[f"CPU of an event, handled / {name}"] = ours["cpu_us"] / theirs["cpu_us"]
        good, bad = cases.get(f"held-{connections}"), cases.get(f"forged-{connections}")
        if good and bad:
            name = f"bad ones refused / good ones accepted, {connections} connections"
            found[name] = bad["per_second"] / good["per_second"]
    return found
