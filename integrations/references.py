"""Secrets that live elsewhere: ``env:NAME`` and ``file:NAME``."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from integrations.errors import ReferenceMissing

_REFERENCE = re.compile(r"(?P<kind>env|file):(?P<name>[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199})")
_ENVIRONMENT_PREFIX = "HUB_SECRET_"
_LONGEST = 64 * 1024


def resolve(value: str) -> str:
    """Return ``value``, or what it refers to, without white space around it.

    ``env:NAME`` reads only variables that begin with ``HUB_SECRET_``; ``file:NAME`` only files directly under
    ``HUB_SECRETS_DIR``, and none that the hub reads a setting from: a reference cannot lead to the hub's own keys. A
    link in that folder may point to a file further down in it (Kubernetes mounts secrets so), and not out of it.
    Raises `ReferenceMissing`, which names the reference.
    """
    if not is_reference(value):
        return value
    parts = _REFERENCE.fullmatch(value)
    if parts is None:
        # Not named: what looks so little like a reference can be a secret.
        raise ReferenceMissing("a reference is env:HUB_SECRET_NAME or file:NAME")
    found = _variable(parts["name"]) if parts["kind"] == "env" else _file(parts["name"])
    if not found:
        raise ReferenceMissing(f"{value} leads nowhere")
    return found


def is_reference(value: str) -> bool:
    """Return whether ``value`` points to a secret instead of being one."""
    return value.startswith(("env:", "file:"))


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip() if name.startswith(_ENVIRONMENT_PREFIX) else ""


def _file(name: str) -> str:
    if not settings.HUB_SECRETS_DIR:
        return ""
    try:
        folder = Path(settings.HUB_SECRETS_DIR).resolve(strict=True)
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder) or not path.is_file() or path.stat().st_size > _LONGEST:
            return ""
        if _is_the_hubs_own(path):
            return ""
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, RuntimeError):  # RuntimeError: links in a circle
        return ""


def _is_the_hubs_own(path: Path) -> bool:
    """Return whether a setting of the hub names ``path`` (``SECRET_KEY_FILE``), in whatever spelling."""
    for name, own in os.environ.items():
        if name.endswith("_FILE") and not name.startswith(_ENVIRONMENT_PREFIX):
            with suppress(OSError, ValueError):
                if path.samefile(own):
                    return True
    return False
