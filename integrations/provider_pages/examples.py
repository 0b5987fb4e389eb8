"""A preset's own sample event as the documentation shows it: the same at every run, whatever the time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integrations.contracts import InboundRequest, Sample, case_insensitive
from integrations.providers import Provider

EXAMPLE_ID = "3f2b8c1e-5a4d-4e6f-9b7a-0c1d2e3f4a5b"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}:\d{2}(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})?")
_SHOWN_SECONDS = 1_767_225_600  # 2026-01-01T00:00:00Z
_NEAR_SECONDS = 30 * 86_400


@dataclass(frozen=True)
class Example:
    """What a page shows of a sample event; ``payload`` is JSON, indented, with all times made one."""

    content_type: str
    headers: Mapping[str, str]
    payload: str
    event_type: str
    #: Whether a sample that is asked for this type has it.
    can_choose_type: bool


def example_of(preset: Provider) -> Example:
    """Return the sample of an endpoint that has no settings."""
    now = datetime.now(UTC)
    sample = preset.example("", EXAMPLE_ID, {})
    event_type = _type_of(preset, sample, now)
    payload = preset.decode(sample.content_type, sample.body)
    return Example(
        content_type=sample.content_type,
        headers=sample.headers,
        payload=json.dumps(_settled(payload, now), indent=2, ensure_ascii=False),
        event_type=event_type,
        can_choose_type=bool(event_type)
        and _type_of(preset, preset.example(event_type, EXAMPLE_ID, {}), now) == event_type,
    )


def _type_of(preset: Provider, sample: Sample, now: datetime) -> str:
    request = InboundRequest(
        method="POST",
        url="",
        query_string="",
        headers=case_insensitive({"Content-Type": sample.content_type, **sample.headers}),
        body=sample.body,
        received_at=now,
    )
    return preset.describe(request, preset.decode(sample.content_type, sample.body), {}).event_type


def _settled(value: Any, now: datetime) -> Any:
    """Return ``value`` with the times that a sample takes from the clock replaced by one."""
    if isinstance(value, Mapping):
        return {name: _settled(inner, now) for name, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner, now) for inner in value]
    if isinstance(value, str):
        spelled = _TIME.sub(lambda match: f"2026-01-01{match[1]}00:00:00{match[2] or ''}", value)
        whole, point, fraction = spelled.partition(".")  # Slack writes seconds as a text, with a fraction
        return f"{_settled(int(whole), now)}{point}{fraction}" if re.fullmatch(r"[0-9]{10,13}", whole) else spelled
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    for unit in (1, 1000):
        if abs(value / unit - now.timestamp()) < _NEAR_SECONDS:
            return _SHOWN_SECONDS * unit
    return value
