"""Objects by their names in a store outside of the database: what each kind of connection writes them with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from integrations.connectors import azure_store, folder_store, gcs_store, s3_store
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.system import System, SystemRefused

_Put = Callable[[ConnectionSpec, str, bytes, float], None]
_STORES: Mapping[str, _Put] = {
    "azure": azure_store.put,
    "folder": folder_store.put,
    "gcs": gcs_store.put,
    "s3": s3_store.put,
}


def check_store(system: System) -> None:
    """Raise `SystemRefused` if the connection's kind keeps no objects."""
    if system.spec.kind not in _STORES:
        kinds = ", ".join(_STORES)
        raise SystemRefused(f"connection: {system.spec.name} is of kind {system.spec.kind}; it has to be of {kinds}")


def put(system: System, name: str, content: bytes) -> None:
    """Write ``content`` as ``name``, over what has the name; raises what `System.call` does."""
    with system.call(f"PUT {name}") as seconds:
        _STORES[system.spec.kind](system.spec, name, content, seconds)
