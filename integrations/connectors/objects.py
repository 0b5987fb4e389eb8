"""Objects by their names in a store outside of the database, by the kind of connection that leads there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from integrations.connectors import azure_store, folder_store, gcs_store, s3_store
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import System, SystemRefused


class _Store(Protocol):
    def put(self, spec: ConnectionSpec, name: str, content: bytes, seconds: float, /) -> None: ...

    def get(self, spec: ConnectionSpec, name: str, seconds: float, /) -> bytes: ...

    def names(self, spec: ConnectionSpec, prefix: str, seconds: float, /) -> list[str]: ...


_STORES: Mapping[str, _Store] = {
    "azure": azure_store,
    "folder": folder_store,
    "gcs": gcs_store,
    "s3": s3_store,
}


def check_store(system: System) -> None:
    """Raise `SystemRefused` if the connection's kind keeps no objects."""
    if system.spec.kind not in _STORES:
        kinds = ", ".join(_STORES)
        raise SystemRefused(f"connection: {system.spec.name} is of kind {system.spec.kind}; it has to be of {kinds}")


def put(system: System, name: str, content: bytes) -> None:
    """Write ``content`` as ``name``, over what has the name; raises what `System.call` does."""
    with system.call(f"PUT {name}") as seconds:
        _STORES[system.spec.kind].put(system.spec, name, content, seconds)


def get(system: System, name: str) -> bytes:
    """Return what is written as ``name``; raises what `System.call` does, `SystemRefused` if there is nothing."""
    with system.call(f"GET {name}") as seconds:
        return _STORES[system.spec.kind].get(system.spec, name, seconds)


def names(system: System, prefix: str) -> list[str]:
    """Return the names that begin with ``prefix``, sorted; raises what `System.call` does."""
    with system.call(f"LIST {prefix}") as seconds:
        return _STORES[system.spec.kind].names(system.spec, prefix, seconds)
