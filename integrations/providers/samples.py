"""Example events, not yet signed, and how to put an id or a type where an endpoint looks for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import Sample

_PLAIN_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")


def json_sample(payload: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Sample:
    """Return a sample with a JSON body."""
    return Sample(body=json.dumps(payload, separators=(",", ":")).encode(), headers=headers or {})


def plain_sample(event_type: str, event_id: str) -> Sample:
    """Return an event of no provider in particular."""
    return json_sample(
        {
            "id": event_id,
            "type": event_type or "test",
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": {"message": "A test event from the hub."},
        }
    )


def put(sample: Sample, place: str, text: str) -> Sample:
    """Return ``sample`` with ``text`` at ``place``.

    Of body places only plain paths (``data.id``) into a JSON object can be written; others leave the sample as it is.
    """
    kind, _, rest = place.partition(":")
    if kind == "header":
        return replace(sample, headers={**sample.headers, rest.split("|")[0]: text})
    if not _PLAIN_PATH.fullmatch(rest) or sample.content_type != "application/json":
        return sample
    payload = json.loads(sample.body)
    target = payload
    *parents, last = rest.split(".")
    for name in parents:
        if not isinstance(target.get(name), dict):
            target[name] = {}
        target = target[name]
    target[last] = text
    return replace(sample, body=json.dumps(payload, separators=(",", ":")).encode())


def unix_seconds() -> int:
    """Return the time now, for a sample's own fields."""
    return int(datetime.now(UTC).timestamp())
