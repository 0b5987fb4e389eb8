"""The index by which events are found by a value in their payload: written at leisure, never while receiving.

See docs/decisions/0031-index-of-payloads.md.
"""

from __future__ import annotations

from deliveries.payload_index.looking import Found, coverage, look
from deliveries.payload_index.upkeep import forget, take_in

__all__ = ["Found", "coverage", "forget", "look", "take_in"]
