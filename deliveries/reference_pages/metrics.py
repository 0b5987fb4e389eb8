"""The table of the metrics."""

from __future__ import annotations

from deliveries.metrics.described import METRICS, Described
from deliveries.reference_pages.parts import with_part

#: The name of the part of the page that is written here.
PART = "metrics"


def metrics_page(page: str) -> str:
    """Return ``page``, docs/reference/metrics.md, with the table as the code has it."""
    rows = ["| metric | kind, labels | what |", "|---|---|---|", *map(_row, METRICS)]
    return with_part(page, PART, "\n".join(rows))


def _row(metric: Described) -> str:
    kind = f"{metric.kind}: {', '.join(metric.labels)}" if metric.labels else metric.kind
    what = " ".join(part for part in (metric.text, metric.more) if part)
    return f"| `{metric.exposed_name}` | {kind} | {what} |"
