"""``.../legal-hold/`` in the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deliveries.api.legal_holds import LegalHoldOrder, LegalHoldSerializer
from integrations.api.schema import operation


def describe_legal_hold(noun: str, *, of: str, pk: str) -> list[Callable[[Any], Any]]:
    """Return what the schema says of the action of a ``noun`` ("event"), whose example has the id ``pk``."""
    reason = "Case 2026-14"
    return [
        operation(
            f"hold_{noun}",
            f"Put {of} under a legal hold",
            description="Retention removes nothing of it and no erasure touches it until the hold is ended. Needs the "
            "permission `legal_hold`; the `reason` is shown with it and noted in the log.",
            request=(LegalHoldOrder, {"A reason": {"reason": reason}}),
            answers={200: ("It is held.", LegalHoldSerializer, {"id": pk, "legal_hold": reason})},
            methods=["POST"],
        ),
        operation(
            f"end_hold_of_{noun}",
            f"End the legal hold of {of}",
            description="What is past its age goes with the next round of the workers.",
            answers={204: ("It is not held.", None, None)},
            methods=["DELETE"],
        ),
    ]
