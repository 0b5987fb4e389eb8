"""Packages that only some handlers need, and that an installation may be without: requirements-extras.txt."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from integrations.errors import GiveUp


class ClientMissing(GiveUp):
    """The package that speaks with this kind of system is not installed; the message names it."""


def extra(module: str, *, package: str) -> Any:
    """Return ``module`` of a ``package`` of requirements-extras.txt; raises `ClientMissing`, which names the package.

    Called as a handler runs, and not as it is imported: a start does not wait for clients that nobody uses.
    """
    try:
        return import_module(module)
    except ImportError as exc:
        # Another name: something of the package's own is missing, or broken.
        said = "" if exc.name and module.startswith(exc.name) else f" ({exc.name or type(exc).__name__})"
        raise ClientMissing(
            f"{package} is not installed{said}: pip install -c requirements-extras.txt {package}"
        ) from None
