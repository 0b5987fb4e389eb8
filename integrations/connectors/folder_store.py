"""Objects in a folder of this machine, which is one below ``HUB_OBJECTS_DIR``, whatever a connection says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import SystemFailed, SystemRefused


def put(spec: ConnectionSpec, name: str, content: bytes, _seconds: float) -> None:
    """Write ``content`` as ``name``, whole or not at all; raises `SystemRefused` and `SystemFailed`."""
    if not settings.HUB_OBJECTS_DIR:
        raise SystemRefused("HUB_OBJECTS_DIR names no folder, so that nothing is written to this machine's disk")
    _tried(lambda: _put(spec.base_url.removeprefix("folder:/"), name, content))


def _put(below: str, name: str, content: bytes) -> None:
    root = Path(settings.HUB_OBJECTS_DIR).resolve(strict=True)
    target = root / below / name
    # Looked at before anything is made: a link on the way must not lead out.
    if ".." in target.parts or not target.parent.resolve().is_relative_to(root):
        raise SystemRefused("the folder leads out of HUB_OBJECTS_DIR")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)  # the name, too, has to be on the disk
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _tried(write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as exc:
        raise SystemFailed(f"the folder cannot be written: {exc.strerror or type(exc).__name__}") from None
