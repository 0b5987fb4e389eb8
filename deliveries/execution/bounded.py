"""Values of anybody's making as JSON that every database stores, within bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from deliveries.models.sealing import storable

DEPTH = 6
_ITEMS = 100


def shortened(value: Any, most_bytes: int, *, note: str = "too large to keep") -> Any:
    """Return ``value`` as `plain` JSON of at most ``most_bytes``, its texts cut; if that is not enough the ``note``."""
    for limit in (8192, 1024, 100):
        kept = plain(value, limit)
        if len(json.dumps(kept)) <= most_bytes:
            return kept
    return {"note": note}


def plain(value: Any, limit: int, depth: int = DEPTH) -> Any:
    """Return ``value`` as JSON that every database stores: texts of at most ``limit`` characters, 100 items a level."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:_ITEMS]
        return {text_of(key, 200): plain(item, limit, depth - 1) for key, item in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [plain(item, limit, depth - 1) for item in list(value)[:_ITEMS]]
    return text_of(value, limit)


def text_of(value: Any, limit: int) -> str:
    """Return ``value`` as a storable text of at most ``limit`` characters."""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as exc:  # __str__ is anybody's code, and a log line must not fail a delivery
        text = f"<{type(value).__name__} whose text fails: {type(exc).__name__}>"
    return storable(text, limit) if len(text) <= limit else storable(text[: limit - 1], limit - 1) + "…"
