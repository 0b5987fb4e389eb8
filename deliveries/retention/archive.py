"""Events as lines of JSON, before their bodies or rows are removed: written so that they last, and read back.

A target keeps files by name. The one there is is a folder, `HUB_ARCHIVE_DIR`; another is a class with the same two
methods.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder

from deliveries.models import Attempt, Batch, Delivery, Event, FlowStep, StepResult
from integrations.identifiers import uuid7

#: The form of a line; a reader refuses what it does not know.
FORMAT = 1
_MANIFEST = "manifest.jsonl"

#: A row by the names of its columns.
Columns = dict[str, Any]


class Target(Protocol):
    """Where archives are kept."""

    def write(self, name: str, content: bytes) -> None:
        """Keep ``content`` under ``name``; once this returns, it lasts."""

    def note(self, line: bytes) -> None:
        """Add ``line`` to the manifest; once this returns, it lasts."""


class Folder:
    """A folder of this machine, or one that is mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, content: bytes) -> None:
        """Write beside, force it to the disk, and rename: a file with the name is whole."""
        place = self._path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.part")
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o600)
        beside.rename(place)
        _sync(place.parent)

    def note(self, line: bytes) -> None:
        """Append the line in one write, and force it to the disk."""
        with (self._path / _MANIFEST).open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        _sync(self._path)


def target() -> Target | None:
    """Return where events are archived; None where they are not."""
    return Folder(Path(settings.HUB_ARCHIVE_DIR)) if settings.HUB_ARCHIVE_DIR else None


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
        noted = {"file": name, "events": len(found), "bytes": len(content), "sha256": _digest(content)}
        to.note(json.dumps(noted).encode() + b"\n")
    return sum(map(len, files.values()))


def lines_of(path: Path) -> Iterator[Columns]:
    """Yield what was archived in a file; raises `ValueError` where it is damaged, or not what the manifest says."""
    content = path.read_bytes()
    expected = _noted(path)
    if expected and _digest(content) != expected:
        raise ValueError(f"{path} is not what the manifest says: its checksum differs.")
    try:
        for line in gzip.decompress(content).splitlines():
            found = json.loads(line)
            if found.get("format") != FORMAT:
                raise ValueError(f"{path} has the form {found.get('format')!r}, which this release does not read.")
            yield found
    except (OSError, EOFError) as exc:
        raise ValueError(f"{path} is damaged: {exc}") from exc


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


def _noted(path: Path) -> str:
    """Return the checksum that the manifest in a folder above has for the file; "" where there is none."""
    for folder in path.resolve().parents[:2]:
        manifest = folder / _MANIFEST
        if manifest.is_file():
            for line in manifest.read_text(encoding="utf-8").splitlines():
                noted = json.loads(line)
                if (folder / noted["file"]) == path.resolve():
                    return str(noted["sha256"])
    return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
