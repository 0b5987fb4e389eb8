"""Objects in a container of Azure Blob Storage, through its own client.

https://learn.microsoft.com/azure/storage/blobs/storage-blob-python-get-started

Not through adlfs: it keeps each of its file systems for as long as the process lives, and looks for credentials in the
environment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from integrations.connectors.extras import extra
from integrations.connectors.spec import ConnectionSpec
from integrations.connectors.stores import Sockets, StoreKind
from integrations.connectors.system import SystemRefused

T = TypeVar("T")
_AZURE = StoreKind(
    "Azure Blob Storage", "container", lambda exc: getattr(exc, "status_code", None) in {400, 401, 403, 404}
)


def put(spec: ConnectionSpec, name: str, content: bytes, seconds: float) -> None:
    """Write ``content`` as ``name`` below the base URL's path, in one request of at most ``seconds``.

    Raises `SystemFailed`, `SystemRefused`, `EgressRefused`, and `ClientMissing` without azure-storage-blob.
    """

    async def run(container: Any, folder: str) -> None:
        await container.upload_blob(f"{folder}{name}", content, overwrite=True)

    _run(spec, run, seconds=seconds)


def get(spec: ConnectionSpec, name: str, seconds: float) -> bytes:
    """Return what is written as ``name``; raises as `put` does."""

    async def run(container: Any, folder: str) -> bytes:
        return bytes(await (await container.download_blob(f"{folder}{name}")).readall())

    return _run(spec, run, seconds=seconds)


def names(spec: ConnectionSpec, prefix: str, seconds: float) -> list[str]:
    """Return the names that begin with ``prefix``; raises as `put` does."""

    async def run(container: Any, folder: str) -> list[str]:
        found = container.list_blob_names(name_starts_with=f"{folder}{prefix}")
        return sorted([name.removeprefix(folder) async for name in found])

    return _run(spec, run, seconds=seconds)


def _run(spec: ConnectionSpec, run: Callable[[Any, str], Awaitable[T]], *, seconds: float) -> T:
    account, container, folder = _place(spec)
    extra("azure.storage.blob.aio", package="azure-storage-blob")

    async def opened(sockets: Sockets) -> T:
        async with _service(spec, account, sockets) as service:
            return await run(service.get_container_client(container), folder)

    return _AZURE.call(spec, opened, seconds=seconds)


def _place(spec: ConnectionSpec) -> tuple[str, str, str]:
    """Return the account's address, the container, and what names begin with; raises `SystemRefused`."""
    address = urlsplit(spec.base_url)
    account, parts = f"{address.scheme}://{address.netloc}", address.path.strip("/").split("/")
    # An emulator has the account in the path and not in the host.
    if not (address.hostname or "").startswith(f"{spec.auth_settings['account']}."):
        account = f"{account}/{parts[0]}"
        if parts.pop(0) != spec.auth_settings["account"] or not parts:
            raise SystemRefused("base_url: it names the account neither in its host nor first in its path")
    return account, parts[0], "".join(f"{part}/" for part in parts[1:])


@asynccontextmanager
async def _service(spec: ConnectionSpec, account: str, sockets: Sockets) -> AsyncIterator[Any]:
    package = "azure-storage-blob"
    aiohttp = extra("aiohttp", package=package)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=sockets), trust_env=False, auto_decompress=False
    )
    transport = extra("azure.core.pipeline.transport", package=package).AioHttpTransport(
        session=session, use_env_settings=False
    )
    async with (
        session,
        extra("azure.storage.blob.aio", package=package).BlobServiceClient(
            account,
            credential=_credential(spec),
            transport=transport,
            connection_timeout=spec.connect_timeout,
            read_timeout=spec.read_timeout,
            retry_total=0,  # another try is the delivery's: a limit or an open circuit would not hold back the client's
            permit_redirects=False,
            use_env_settings=False,
        ) as service,
    ):
        yield service


def _credential(spec: ConnectionSpec) -> Any:
    if spec.auth == "azure_sas":
        made = extra("azure.core.credentials", package="azure-storage-blob")
        return made.AzureSasCredential(spec.credentials["sas_token"].removeprefix("?"))
    return {"account_name": spec.auth_settings["account"], "account_key": spec.credentials["account_key"]}
