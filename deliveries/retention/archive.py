"""Events as lines of JSON, before their bodies or rows are removed: written so that they last, and read back."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

from deliveries.models import Attempt, Batch, Delivery, Event, FlowStep, StepResult
from deliveries.retention.targets import Archived, Target, digest
from integrations.identifiers import uuid7

#: The form of a line; a reader refuses what it does not know.
FORMAT = 1

#: A row by the names of its columns.
Columns = dict[str, Any]


def archive(events: Collection[UUID], *, to: Target) -> int:
    """Write those of ``events`` that have a body, a file for each endpoint and day; return how many.

    What is stored encrypted stays encrypted, and needs the keys of ``HUB_ENCRYPTION_KEYS`` to be read. Raises
    `OSError` if it cannot be written: nothing may be removed then.
    """
    rows = Event.objects.filter(pk__in=events, raw_body__isnull=False).order_by("received_at", "pk")
    slugs = dict(rows.order_by().values_list("endpoint", "endpoint__slug"))
    files: defaultdict[str, list[Columns]] = defaultdict(list)
    for event in rows.values():
        files[f"{slugs[event['endpoint_id']]}/{event['received_at']:%Y-%m-%d}"].append(dict(event))
    for folder, found in files.items():
        name, content = f"{folder}-{uuid7().hex}.jsonl.gz", _packed(found)
        to.write(name, content)
        noted = {"file": name, "events": len(found), "bytes": len(content), "sha256": digest(content)}
        to.note(name, json.dumps(noted).encode() + b"\n")
    return sum(map(len, files.values()))


def lines_of(file: Archived) -> Iterator[Columns]:
    """Yield what was archived in a file; raises `ValueError` where it is damaged, or not what the manifest says."""
    if file.sha256 and digest(file.content) != file.sha256:
        raise ValueError(f"{file.place} is not what the manifest says: its checksum differs.")
    try:
        for line in gzip.decompress(file.content).splitlines():
            found = json.loads(line)
            if found.get("format") != FORMAT:
                raise ValueError(
                    f"{file.place} has the form {found.get('format')!r}, which this release does not read."
                )
            yield found
    except (OSError, EOFError) as exc:
        raise ValueError(f"{file.place} is damaged: {exc}") from exc


def _packed(events: Iterable[Columns]) -> bytes:
    lines = (json.dumps(_line(event), cls=_Encoder, ensure_ascii=False) for event in events)
    return gzip.compress("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"))


def _line(event: Columns) -> Columns:
    """Return an event with all that belongs to it, as the database has it: what is encrypted stays so."""
    deliveries = Delivery.objects.filter(event=event["id"]).order_by("pk")
    of = {"delivery__event": event["id"]}
    return {
        "format": FORMAT,
        "event": event,
        "batch": Batch.objects.filter(pk=event["batch_id"]).values().first() if event["batch_id"] else None,
        "deliveries": list(deliveries.values()),
        "attempts": list(Attempt.objects.filter(**of).order_by("pk").values()),
        "steps": list(StepResult.objects.filter(**of).order_by("pk").values()),
        "flow_steps": list(FlowStep.objects.filter(**of).order_by("pk").values()),
    }


class _Encoder(DjangoJSONEncoder):
    """Writes bytes as ``{"base64": ...}``, and moments to the microsecond."""

    def default(self, o: Any) -> Any:
        """Return what JSON can hold of ``o``."""
        if isinstance(o, bytes | bytearray | memoryview):
            return {"base64": base64.b64encode(bytes(o)).decode("ascii")}
        return o.isoformat() if isinstance(o, datetime) else super().default(o)
