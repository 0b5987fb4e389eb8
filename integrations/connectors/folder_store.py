"""Objects in a folder of this machine, which is one below ``HUB_OBJECTS_DIR``, whatever a connection says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import SystemFailed, SystemRefused

T = TypeVar("T")


def put(spec: ConnectionSpec, name: str, content: bytes, _seconds: float) -> None:
    """Write ``content`` as ``name``, whole or not at all; raises `SystemRefused` and `SystemFailed`."""
    _tried(lambda: _put(_target(spec, name), content))


def get(spec: ConnectionSpec, name: str, _seconds: float) -> bytes:
    """Return what is written as ``name``; raises as `put` does."""
    target = _target(spec, name)
    if not target.is_file():
        raise SystemRefused(f"the folder has no object {name}")
    return _tried(target.read_bytes)


def names(spec: ConnectionSpec, prefix: str, _seconds: float) -> list[str]:
    """Return the names that begin with ``prefix``; raises as `put` does."""
    folder = _target(spec, "any").parent
    return _tried(
        lambda: sorted(
            name
            for path in folder.rglob("[!.]*")
            if path.is_file() and (name := path.relative_to(folder).as_posix()).startswith(prefix)
        )
    )


def _target(spec: ConnectionSpec, name: str) -> Path:
    if not settings.HUB_OBJECTS_DIR:
        raise SystemRefused("HUB_OBJECTS_DIR names no folder, so that nothing is on this machine's disk")
    root = _tried(lambda: Path(settings.HUB_OBJECTS_DIR).resolve(strict=True))
    target = root / spec.base_url.removeprefix("folder:/") / name
    # Looked at before anything is made: a link on the way must not lead out.
    if ".." in target.parts or not target.parent.resolve().is_relative_to(root):
        raise SystemRefused("the folder leads out of HUB_OBJECTS_DIR")
    return target


def _put(target: Path, content: bytes) -> None:
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


def _tried(do: Callable[[], T]) -> T:
    try:
        return do()
    except OSError as exc:
        raise SystemFailed(f"the folder cannot be used: {exc.strerror or type(exc).__name__}") from None
