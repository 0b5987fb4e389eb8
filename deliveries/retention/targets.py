"""Where archives are kept, and read back from: a folder, or the objects of a connection."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings

from integrations.calling.opening import system_for
from integrations.connectors import objects
from integrations.connectors.client import Frame
from integrations.connectors.system import System
from integrations.errors import HubError
from integrations.models import Connection

_MANIFEST = "manifest.jsonl"
_MANIFESTS = "manifest"
_ENDING = ".jsonl.gz"
#: A worker tidies up between its deliveries, and waits for a store no longer than this at a time.
_LONGEST_CALL_SECONDS = 30.0


@dataclass(frozen=True)
class Archived:
    """A file of an archive: where it was, what it holds, and the manifest's checksum of it; "" if there is none."""

    place: str
    content: bytes
    sha256: str


class Target(Protocol):
    """Where archives are kept. Both methods raise `OSError`."""

    def write(self, name: str, content: bytes) -> None:
        """Keep ``content`` under ``name``; once this returns, it lasts."""

    def note(self, name: str, line: bytes) -> None:
        """Add ``line``, on the file ``name``, to the manifest; once this returns, it lasts."""


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

    def note(self, name: str, line: bytes) -> None:
        """Append the line in one write, and force it to the disk."""
        with (self._path / _MANIFEST).open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        _sync(self._path)


class Objects:
    """The objects of a connection: a bucket, a container, or a folder of this machine.

    An object cannot be appended to, so that the manifest is an object for each file, below ``manifest``.
    """

    def __init__(self, system: System) -> None:
        self._system = system

    def write(self, name: str, content: bytes) -> None:
        """Write an object, which is there as a whole or not at all."""
        with _of_the_system():
            objects.put(self._system, name, content)

    def note(self, name: str, line: bytes) -> None:
        """Write the line as an object of its own."""
        self.write(_noted_as(name), line)

    def files(self, prefixes: Iterable[str]) -> Iterator[Archived]:
        """Yield the files whose names begin with one of ``prefixes``.

        Raises `ValueError` for one that no name begins with, `OSError` if the store cannot be asked.
        """
        for prefix in prefixes:
            with _of_the_system():
                found = [name for name in objects.names(self._system, prefix) if name.endswith(_ENDING)]
                noted = set(objects.names(self._system, f"{_MANIFESTS}/{prefix}"))
            if not found:
                raise ValueError(f"The archive of the connection {self._system.spec.name} has nothing at {prefix!r}.")
            for name in found:
                with _of_the_system():
                    note = objects.get(self._system, _noted_as(name)) if _noted_as(name) in noted else b"{}"
                    content = objects.get(self._system, name)
                yield Archived(name, content, json.loads(note).get("sha256", ""))


def target() -> Target | None:
    """Return where events are archived; None where they are not. Raises `OSError` if it is not to be had."""
    if settings.HUB_ARCHIVE_CONNECTION:
        return objects_of(settings.HUB_ARCHIVE_CONNECTION)
    return Folder(Path(settings.HUB_ARCHIVE_DIR)) if settings.HUB_ARCHIVE_DIR else None


def objects_of(name: str) -> Objects:
    """Return the archive that is kept with the connection ``name``; raises `OSError` if there is none.

    One that belongs to a group will not do: who may change it would have the events of all endpoints sent to them.
    """
    connection = Connection.objects.live().filter(name=name, group=None).first()
    if connection is None:
        raise OSError(f"There is no connection {name!r} that belongs to no group.")
    with _of_the_system():
        frame = Frame(left=lambda: _LONGEST_CALL_SECONDS, key=lambda _: "", record=lambda _: None)
        system = system_for(connection, frame)
        objects.check_store(system)
    return Objects(system)


def at(path: Path) -> Archived:
    """Return the file at ``path`` of a folder; raises `OSError` if it cannot be read."""
    return Archived(str(path), path.read_bytes(), _noted(path))


def digest(content: bytes) -> str:
    """Return the SHA-256 that manifests have of ``content``."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _of_the_system() -> Iterator[None]:
    try:
        yield
    except HubError as exc:
        raise OSError(str(exc)) from None


def _noted_as(name: str) -> str:
    return f"{_MANIFESTS}/{name}.json"


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


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
